"""What a release promises to programs, as a set of lines: members of JSON documents and their types, commands and flags, exit codes,
columns, metrics, the tables of the database. Real payments in every state are made, and what is printed about them is kept (`Seen`)
and reduced to lines (`lines`). tests/promise has the lines of each release, one file each; man/paytower.7 says what is promised."""

import contextlib
import csv
import gzip
import json
import os
import re
import shutil
import signal
import sqlite3
import time
import unittest

import harness
import legacy
from harness import DATABASE, FAILED, NOT_CONFIRMED, NOT_FOUND, OK, REFUSED, UNAVAILABLE, UNKNOWN, USAGE
from lanes import LANE, Lanes
from test_bad_input import LARGEST, TOO_MANY_BLOCKS
from test_json import INSIDE, MAPS

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
CORE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "core")
QUARANTINED = 12

# Members that hold one word of a few. A word stays; further ones may come.
WORDS = {"payment.status", "payment.failure_reason", "payment.end_note", "payment.provenance", "attempt.status", "attempt.origin", "failure.code",
         "failure detail.code", "guard.kind", "new guard.kind", "skipped payment.reason", "simulate ledger.state", "setting.source", "decode.network",
         "decode.not_payable_reason", "custom record.name", "imported record.what"}
# What the sources can print and no run here gets to.
OTHER_TYPES = {"payment.payment_index": ["null"], "imported attempt.attempt_id": ["null"], "bad row.payment_hash": ["null"],
               "quarantined record.sequence": ["null"], "record set aside.sequence": ["null"]}
# Words of which no run prints all: the tables of the sources have them.
TABLES = {"failure.code": ("payment/failure.cpp", r'string_view\("([A-Z_]+)"\)'),
          "payment.failure_reason": ("payment/failure.cpp", r'return "(FAILURE_REASON_[A-Z_]+)"'),
          "failure detail.code": ("payment/failure_detail.cpp", r'return "([a-z_]+)"')}
# Values that are one of a few words.
CHOICES = {"list --format": ("table", "tsv", "csv", "ndjson"), "stats --format": ("table", "json", "prom"),
           "list --color": ("auto", "always", "never"),
           "list --status": ("open", "initiated", "in_flight", "succeeded", "failed", "unknown")}


class Seen:
    """What was printed."""

    def __init__(self):
        self.documents = []   # (place, shape, document); the place is the call that printed it
        self.words = set()    # (member, word)
        self.errors = set()   # (code, exit code)
        self.choices = set()  # (command and flag, word)
        self.columns = {}     # name of a table: its header
        self.metrics = ""     # the text for Prometheus
        self.schema = []      # (table, column, type)


# --- lines ---


def type_of(content, inner, is_map):
    """The type of a value in words; `inner` is the shape of an object in it."""
    if isinstance(content, dict) and not is_map:
        return inner or "object"
    if isinstance(content, (dict, list)):
        kind, values = ("map", content.values()) if is_map else ("list", content)
        return "|".join(sorted({f"{kind} of {type_of(one, inner, False)}" for one in values})) or kind
    return {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}[type(content)]


def joined(types):
    """The types of one member in all documents. An empty list says nothing when another has something in it."""
    types = {one for several in types for one in several.split("|")}
    return "|".join(sorted(types - {one.split(" of ")[0] for one in types if " of " in one}))


class Shapes:
    """Members by the shape and the place of the object that they stand in."""

    def __init__(self):
        self.types = {}    # (shape, member): {place: [type]}
        self.objects = {}  # shape: {place: how many}
        self.words = set()

    def add(self, place, shape, value):
        if isinstance(value, list):
            for one in value:
                self.add(place, shape, one)
            return
        if not isinstance(value, dict):
            return
        counts = self.objects.setdefault(shape, {})
        counts[place] = counts.get(place, 0) + 1
        for member, content in value.items():
            name = f"{shape}.{member}"
            inner = INSIDE.get(shape, {}).get(member)
            self.types.setdefault((shape, member), {}).setdefault(place, []).append(type_of(content, inner, member in MAPS))
            if name in WORDS and content is not None:
                self.words.add(f"word {name}: {content}")
            if member in MAPS:
                self.words |= {f"word {name}: {key}" for key in content}
            elif inner:
                self.add(f"{place}.{member}", inner, content)

    def lines(self):
        for (shape, member), places in self.types.items():
            name, counts = f"{shape}.{member}", self.objects[shape]
            if all(len(places.get(place, ())) == count for place, count in counts.items()):
                yield f"json {name}: {joined([*sum(places.values(), []), *OTHER_TYPES.get(name, [])])}"
                continue
            for place, types in places.items():
                if len(types) == counts[place]:  # else nobody can rely on it
                    yield f"json {name} of {place}: {joined(types)}"
        yield from self.words


def lines_of_flag(command, flag):
    name = f"flag {command} --{flag['name']}"
    yield name
    if flag["letter"]:
        yield f"{name}: -{flag['letter']}"
    yield f"{name}: takes {'a value' if flag['value'] else 'nothing'}"
    for word in (flag["value"] or "").split("|"):
        if re.fullmatch(r"[a-z0-9-]+", word):
            yield f"{name}: takes {word}"
    yield f"{name}: default {flag['default'] or 'none'}"
    if flag["repeatable"]:
        yield f"{name}: may be repeated"
    if flag["config_file"]:
        yield f"{name}: in the configuration file"
    if flag["environment"]:
        yield f"{name}: {flag['environment']}"


def lines_of_help(help_json):
    for command in help_json["commands"]:
        yield f"command {command['name']}"
        for number, argument in enumerate((command["arguments"] or "").split(), 1):
            for word in argument.strip("[]").removesuffix("...").split("|"):
                yield f"command {command['name']}: {word} in place {number}"
            if argument.startswith("["):
                yield f"command {command['name']}: place {number} may be empty"
            if "..." in argument:
                yield f"command {command['name']}: as many as you like in place {number}"
        if command["alias"]:
            yield f"command {command['name']}: also {command['alias']}"
        for flag in command["flags"]:
            yield from lines_of_flag(command["name"], flag)
    for flag in help_json["global_flags"]:
        yield from lines_of_flag("(all)", flag)
    for one in help_json["exit_codes"]:
        yield f"exit code {one['exit_code']}"


def lines_of_metrics(text):
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.M):
        by = ",".join(re.findall(r'(?:^|,)(\w+)="', labels))
        yield f"metric {name}{f' by {by}' if by else ''}: {kinds[name]}"


def lines(seen):
    """What is promised, as a set of lines. Every line of a release is one of all later ones of the same major version."""
    found = set()
    shapes = Shapes()
    for place, shape, document in seen.documents:
        found.add(f"document {place}: {shape}")
        shapes.add(place, shape, document)
        if shape == "help":
            found |= set(lines_of_help(document))
        if shape == "config":
            found |= {f"setting {setting['name']}" for setting in document["settings"]}
    found |= set(shapes.lines())
    found |= {f"word {member}: {word}" for member, word in seen.words}
    found |= {f"error {code}: exit {exit_code}" for code, exit_code in seen.errors}
    found |= {f"flag {flag}: takes {word}" for flag, word in seen.choices}
    for table, header in seen.columns.items():
        found |= {f"column {number:02} of {table}: {name}" for number, name in enumerate(header, 1)}
    found |= set(lines_of_metrics(seen.metrics))
    found |= {f"database {table}.{name}: {kind}" for table, name, kind in seen.schema}
    return found


def missing(promised, found):
    """The lines of a release that are lost. What one place alone had may stand everywhere by now."""
    return sorted(line for line in promised - found if re.sub(r"^(json [^.]+\.\w+) of [^:]+:", r"\1:", line) not in found)


# --- runs ---


def collect():
    """Runs the program, and returns what was seen."""
    runs, result = Runs("collect"), unittest.TestResult()
    runs.run(result)
    if not result.wasSuccessful():
        raise AssertionError("".join(text for _, text in result.errors + result.failures))
    return runs.seen


class Runs(Lanes):
    """Makes payments in every state. Not a test by itself."""

    network_args = ["--seed", "7"]

    def setUp(self):
        harness.World.setUp(self)  # the network as it is; lanes come later
        self.seen = Seen()

    def collect(self):
        self.about_paytower()
        self.payments_of_each_kind()
        self.words_of_the_operator()
        self.batches()
        self.no_routes()
        self.refusals()
        self.parts()
        self.what_lists_print()
        self.an_old_database()
        self.databases_of_lnd()
        self.what_is_damaged()

    # --- keeping what is printed ---

    def kept(self, shape, code, *args, place=None, **more):
        outcome = self.expect(code, *args, "--json", **more)
        documents = [json.loads(line) for line in outcome.out.splitlines()]
        for document in documents:
            self.seen.documents.append((place or args[0], shape, document))
        self.keep_errors(outcome.err, code)

    def refused(self, code, *args, **more):
        outcome = self.expect(code, *args, "--json", **more)
        self.assertEqual(outcome.out, "")
        self.keep_errors(outcome.err, code)
        return outcome.error()["code"]

    def keep_errors(self, text, code):
        for line in text.splitlines():
            (kind, document), = json.loads(line).items()
            self.seen.documents.append((kind, kind, document))
            if kind == "error":
                self.seen.errors.add((document["code"], document["exit_code"]))
                self.assertEqual(document["exit_code"], code)

    @contextlib.contextmanager
    def without(self, *names):
        taken = {name: self.env.pop(name) for name in names}
        yield
        self.env.update(taken)

    def held_payment(self, *more):
        invoice = self.invoice("400sat", "--hold", "forever", *more)
        self.kept("payment", UNKNOWN, "send", invoice, "--yes", "--wait", "0")
        return invoice, self.hash_of(invoice)

    def column_names(self, table, *args):
        outcome = self.ok("list", *args, "--format", "csv")
        self.seen.columns[table] = next(csv.reader(outcome.out.splitlines()))

    # --- what they print ---

    def about_paytower(self):
        with open(os.path.join(CORE, "base", "error_codes.inc"), encoding="utf-8") as file:
            self.seen.errors.update((name, int(code)) for name, code in re.findall(r"^ERROR_CODE\((\w+), (\d+),", file.read(), re.M))
        for member, (path, pattern) in TABLES.items():
            with open(os.path.join(CORE, path), encoding="utf-8") as file:
                self.seen.words.update((member, word) for word in re.findall(pattern, file.read()))
        self.kept("help", OK, "help")
        version = self.ok("--version", "--json").json()
        for commit in ("0123456789ab", None):  # null where the sources are no git checkout
            self.seen.documents.append(("--version", "version", {**version, "commit": commit}))
        config = os.path.join(self.folder, "config")
        with open(config, "w", encoding="utf-8") as file:
            file.write("fee-limit = 7sat\n")
        os.chmod(config, 0o600)
        self.kept("config", OK, "config", "--quiet", env={"PAYTOWER_CONFIG": config})
        second = os.path.join(self.folder, "second.sim")
        self.kept("simulate network", OK, "simulate", "network", "--out", second, "--seed", "8", place="simulate network")
        self.kept("simulate invoice", OK, "simulate", "invoice", "--amt", "any", place="simulate invoice")
        with open(os.path.join(DATA, "bolt11", "spec_vectors.json"), encoding="utf-8") as file:
            for invoice in re.findall(r'"(ln[a-z0-9]{200,})"', file.read()):
                if self.run_it("decode", invoice).code == OK:
                    self.kept("decode", OK, "decode", invoice)
        for invoice in (self.invoice("any"), LARGEST, TOO_MANY_BLOCKS):
            self.kept("decode", OK, "decode", invoice)

    def payments_of_each_kind(self):
        paid = self.invoice("250sat", "--fail", "TEMPORARY_CHANNEL_FAILURE@2x1", "--description", "May")
        self.kept("dry run of send", OK, "send", paid, "--dry-run", place="send --dry-run")
        *updates, last = self.ok("send", paid, "--yes", "--label", "rent", "--json", "--inflight-updates").out.splitlines()
        self.seen.documents += [("send --inflight-updates", "payment", json.loads(line)) for line in updates]
        self.seen.documents.append(("send", "payment", json.loads(last)))
        self.refused(REFUSED, "send", paid, "--yes")
        self.kept("dry run of send", REFUSED, "send", paid, "--dry-run", place="send --dry-run")
        self.kept("payment", OK, "send", paid, "--yes", "--idempotent")
        self.kept("payment", OK, "show", self.hash_of(paid))
        self.kept("payment", OK, "label", self.hash_of(paid), "rent of May")
        failing = self.invoice("300sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx1")
        self.kept("payment", FAILED, "send", failing, "--yes")
        self.kept("payment", OK, "send", failing, "--yes")
        self.kept("payment", OK, "show", self.hash_of(failing))
        self.kept("payment", OK, "resume", self.hash_of(failing), place="resume HASH")
        self.refused(REFUSED, "cancel", self.hash_of(failing))

        _, open_hash = self.held_payment()
        self.kept("resume", UNKNOWN, "resume", "--wait", "0")
        self.kept("payment", UNKNOWN, "resume", open_hash, "--wait", "0", place="resume HASH")
        self.kept("payment", OK, "show", open_hash)
        self.kept("dry run of cancel", UNKNOWN, "cancel", open_hash, "--dry-run", place="cancel --dry-run")
        self.kept("payment", UNKNOWN, "cancel", open_hash)
        self.refused(REFUSED, "delete", open_hash, "--yes")
        self.kept("check", OK, "check")
        self.kept("list", OK, "list", "--count-total-payments")
        self.kept("stats", OK, "stats", "--since", "1d", "--until", "2050-01-01")
        self.kept("list", OK, "list", "--since", "2049-01-01")
        self.kept("stats", OK, "stats", "--since", "2049-01-01")
        self.kept("simulate ledger", OK, "simulate", "ledger", place="simulate ledger")
        self.kept("delete", OK, "delete", "--all", "--include-non-failed", "--dry-run")
        self.kept("delete", OK, "delete", "--all", "--include-non-failed", "--older-than", "1d", "--dry-run")
        self.refused(NOT_CONFIRMED, "delete", "--all")
        self.kept("backup", OK, "backup", os.path.join(self.folder, "copy.db"))
        os.chmod(self.db, 0o644)
        self.kept("payment", OK, "label", self.hash_of(paid), "rent")  # with a warning
        elsewhere = {"PAYTOWER_SWITCH": "sim:" + os.path.join(self.folder, "second.sim")}
        self.kept("resume", OK, "resume", "--wait", "0", env=elsewhere)
        self.kept("simulate release", OK, "simulate", "release", open_hash, place="simulate release")
        self.kept("resume", OK, "resume")
        self.kept("delete", OK, "delete", self.hash_of(failing), "--yes")
        self.kept("guard", OK, "show", self.hash_of(failing))
        self.kept("delete", OK, "delete", self.hash_of(failing), "--forget", "--yes")

        theirs = self.invoice("100sat")
        self.ok("--db", os.path.join(self.folder, "theirs.db"), "send", theirs, "--yes")
        self.kept("payment", OK, "send", theirs, "--yes", "--idempotent")

    def words_of_the_operator(self):
        _, written_off = self.held_payment()
        invoice, assumed = self.held_payment()
        self.refused(REFUSED, "resolve", assumed, "--assume-failed", "--yes")
        with self.without("PAYTOWER_SWITCH"):
            self.kept("payment", OK, "resolve", written_off, "--write-off", "--yes")
            self.kept("payment", OK, "resolve", assumed, "--assume-failed", "--yes")
        self.kept("resume", UNKNOWN, "resume", "--wait", "0")
        self.refused(REFUSED, "cancel", written_off)
        self.kept("delete", OK, "delete", "--all", "--include-non-failed", "--dry-run")
        self.ok("simulate", "release", assumed, "--fail", "TEMPORARY_NODE_FAILURE")
        self.expect(UNKNOWN, "send", invoice, "--yes", "--wait", "0")
        self.kept("payment", OK, "show", assumed)
        self.ok("simulate", "release", assumed)
        self.ok("simulate", "release", written_off, "--fail", "TEMPORARY_NODE_FAILURE")
        self.ok("resume")
        self.kept("resolve of a restored database", OK, "resolve", "--restored", "--yes", place="resolve --restored")
        self.kept("delete", OK, "delete", written_off, "--yes")
        self.kept("guard", OK, "show", written_off)
        with self.without("PAYTOWER_SWITCH"):
            self.kept("guard", OK, "resolve", written_off, "--assume-failed", "--yes")
        self.kept("list of guards", OK, "list", "--guards", place="list --guards")

    def batches(self):
        failing = self.invoice("100sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")
        batch = "\n".join(["no json", *(json.dumps({"invoice": one}) for one in (self.invoice("100sat"), failing, self.invoice("30btc")))])
        outcome = self.expect(FAILED, "send", "--batch", "-", "--dry-run", "--json", text=batch)
        *rehearsed, sums = map(json.loads, outcome.out.splitlines())
        self.seen.documents += [("send --batch --dry-run", "dry run of a batch line", line) for line in rehearsed]
        self.seen.documents.append(("send --batch --dry-run, at last", "dry run of a batch", sums))
        self.kept("batch line", FAILED, "send", "--batch", "-", "--yes", text=batch, place="send --batch")

    def no_routes(self):
        dear = self.invoice("1000sat", "--node", "n9")
        for place, *how in (("send --dry-run", "--dry-run"), ("send", "--yes")):
            shape = "payment" if place == "send" else "dry run of send"
            self.kept(shape, FAILED, "send", dear, *how, "--fee-limit", "0sat", place=place)
            self.kept(shape, FAILED, "send", dear, *how, "--cltv-limit", "20", place=place)
            self.kept(shape, FAILED, "send", self.invoice("30btc"), *how, place=place)
            self.kept(shape, FAILED, "send", dear, *how, "--outgoing-chan-id", "7x1x0", place=place)

    def refusals(self):
        expired = self.invoice("100sat", "--expiry", "1s")
        self.refused(USAGE, "list", "--max-payments", "many")
        self.refused(NOT_FOUND, "show", "ab" * 32)
        self.refused(NOT_CONFIRMED, "send", self.invoice())
        self.refused(UNAVAILABLE, "send", self.invoice(), "--yes", env={"PAYTOWER_SWITCH": "cln:" + os.path.join(self.folder, "nobody")})
        self.refused(DATABASE, "list", env={"PAYTOWER_DB": os.path.join(self.folder, "no.db")})
        invoice = self.invoice("100sat", "--hold", "forever")
        process = self.send_in_background(invoice, "--wait", "forever")
        self.refused(harness.BUSY, "resume", self.hash_of(invoice))
        self.kept("resume", harness.BUSY, "resume")
        self.kill(process)
        self.refused(REFUSED, "send", invoice, "--yes")
        self.refused(REFUSED, "send", self.invoice("7sat"), "--yes", env={"PAYTOWER_CONFIG": self.limited()})
        self.ok("simulate", "release", self.hash_of(invoice))
        self.ok("resume")
        while self.decode(expired)["payable"]:
            time.sleep(0.1)
        self.kept("decode", OK, "decode", expired)
        self.assertEqual(self.refused(USAGE, "send", expired, "--yes"), "invoice_expired")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.interrupted_by(number)

    def interrupted_by(self, number):
        invoice = self.invoice("100sat", "--hold", "forever")
        process = self.send_in_background(invoice, "--wait", "forever", "--json")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (128 + number, ""))
        self.keep_errors(err, 128 + number)
        self.ok("simulate", "release", self.hash_of(invoice))
        self.ok("resume")

    def limited(self):
        path = os.path.join(self.folder, "limited")
        with open(path, "w", encoding="utf-8") as file:
            file.write("max-amount = 1sat\n")
        os.chmod(path, 0o600)
        return path

    def parts(self):
        self.build(3)
        self.kept("payment", OK, "send", self.invoice(f"{2 * LANE}sat", "--node", "n2"), "--yes")
        self.kept("payment", FAILED, "send", self.invoice(f"{2 * LANE}sat", "--node", "n2"), "--yes", "--max-parts", "1")
        self.kept("stats", OK, "stats")

    def what_lists_print(self):
        self.column_names("list --format csv")
        self.column_names("list --guards --format csv", "--guards")
        self.column_names("list --quarantine --format csv", "--quarantine")
        self.kept("payment", OK, "list", "--format", "ndjson", place="list --format ndjson")
        for form in ("--format tsv", ""):
            self.tab_separated(*form.split())
        for flag, words in CHOICES.items():
            command, name = flag.split()
            for word in words:
                self.ok(command, name, word)
                self.seen.choices.add((flag, word))
        self.seen.metrics = self.ok("stats", "--format", "prom").out
        with contextlib.closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'").fetchall():
                for _, name, kind, not_null, _, key, hidden in database.execute(f"PRAGMA table_xinfo({table})"):
                    what = [kind or "any type", "not null" if not_null else "", "key" if key else "", "generated" if hidden else ""]
                    self.seen.schema.append((table, name, ", ".join(word for word in what if word)))

    def tab_separated(self, *form):
        """It has no header: the names are those of the CSV columns that hold the same in every row."""
        table = list(csv.reader(self.ok("list", "--max-payments", "0", "--format", "csv").out.splitlines()))
        rows = [line.split("\t") for line in self.ok("list", "--max-payments", "0", *form).out.splitlines()]
        self.assertEqual(len(rows), len(table) - 1)
        columns = [[name for name, *values in zip(*table) if tuple(values) == column] for column in zip(*rows)]
        self.assertEqual({len(names) for names in columns}, {1}, columns)
        self.seen.columns[" ".join(["list", *(form or ["into a pipe"])])] = [name for name, in columns]

    # --- other databases ---

    def an_old_database(self):
        self.env["PAYTOWER_DB"] = os.path.join(self.folder, "old.db")
        records = [(1, legacy.record(legacy.preimage(1))), (2, b"cut off"), (3, legacy.record(legacy.preimage(1), value=7)),
                   (4, legacy.record(legacy.preimage(2), request=b"lnbc1", memo=b"tea", created=legacy.ZERO_TIME))]
        statuses = [(legacy.payment_hash(legacy.preimage(9)), 1), (legacy.payment_hash(legacy.preimage(8)), 2)]
        legacy.make(self.env["PAYTOWER_DB"], records, statuses)
        self.kept("status of migrate", DATABASE, "migrate", "--status", place="migrate --status")
        self.refused(DATABASE, "list")
        self.refused(DATABASE, "migrate", "--strict")
        self.kept("migrate", QUARANTINED, "migrate", "--dry-run")
        self.kept("migrate", QUARANTINED, "migrate")
        self.kept("status of migrate", OK, "migrate", "--status", place="migrate --status")
        self.kept("list of quarantined records", OK, "list", "--quarantine", place="list --quarantine")
        self.kept("list of guards", OK, "list", "--guards", place="list --guards")
        for number in (1, 2):
            self.kept("payment", OK, "show", legacy.payment_hash(legacy.preimage(number)).hex())
        self.kept("list", OK, "list")
        newer = os.path.join(self.folder, "newer.db")
        self.ok("backup", newer)
        with contextlib.closing(sqlite3.connect(newer)) as database:
            database.execute("PRAGMA user_version = 99")
        self.refused(DATABASE, "list", env={"PAYTOWER_DB": newer})

    def databases_of_lnd(self):
        releases = os.path.join(DATA, "lnd", "releases")
        for name in sorted(os.listdir(releases)):
            found = re.match(r"(channel|lnd)-.*\.(db|sqlite)\.gz$", name)
            if not found:
                continue
            path = os.path.join(self.folder, "lnd", found[1] + "." + found[2])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with gzip.open(os.path.join(releases, name)) as packed, open(path, "wb") as plain:
                shutil.copyfileobj(packed, plain)
            self.env["PAYTOWER_DB"] = os.path.join(self.folder, name + ".paytower")
            code = self.run_it("migrate", "--from-lnd", path, "--dry-run").code
            if code in (OK, QUARANTINED):
                self.kept("migrate", code, "migrate", "--from-lnd", path, place="migrate --from-lnd")
                self.kept("list", OK, "list", "--max-payments", "0")
                self.kept("list of quarantined records", OK, "list", "--quarantine", place="list --quarantine")
                for payment_hash in sorted({row["payment_hash"] for row in self.payments()}):
                    self.kept("payment", OK, "show", payment_hash)
            os.unlink(path)

    def what_is_damaged(self):
        self.env["PAYTOWER_DB"] = os.path.join(self.folder, "damaged.db")
        self.ok("send", self.invoice("100sat", "--node", "n2"), "--yes")
        with contextlib.closing(sqlite3.connect(self.env["PAYTOWER_DB"])) as database, database:
            database.executescript("PRAGMA writable_schema = ON; DROP TRIGGER attempts_immutable; UPDATE attempts SET route = x'0909'")
        self.kept("list", DATABASE, "list")
        self.kept("check", DATABASE, "check")
