"""Goal: what is installed is complete, works, and goes again. Method: the Debian package is built from the build tree, installed
into a scratch root by dpkg and removed; its units are verified by systemd-analyze and their command is run with nothing in the
environment but what the unit says."""

import gzip
import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import unittest

import harness
import manual

BUILD = os.path.dirname(os.path.abspath(harness.BINARY))
UNITS = ("paytower-resume@.service", "paytower-resume@.timer")
OTHERS = ["bin/paytower", *("share/doc/paytower/" + name for name in ("README.md", "copyright", "changelog.gz", "grafana-dashboard.json")),
          "share/bash-completion/completions/paytower",
          "share/fish/vendor_completions.d/paytower.fish", *("lib/systemd/system/" + unit for unit in UNITS)]


def run(*command, code=0, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **more)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def files_below(folder):
    return {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}


def expected(zsh):
    pages = {f"share/man/man{name[-1]}/{name}" for name in manual.names()}
    return pages | set(OTHERS) | {f"share/zsh/{zsh}/_paytower"}


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="paytower-package-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        # With the strictest umask: the package sets its own modes.
        run("cpack", "-G", "DEB", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", cls.folder, preexec_fn=lambda: os.umask(0o077))
        packages = [name for name in os.listdir(cls.folder) if name.endswith(".deb")]
        assert len(packages) == 1, packages
        cls.deb = os.path.join(cls.folder, packages[0])
        cls.root = os.path.join(cls.folder, "unpacked")
        run("dpkg-deb", "-x", cls.deb, cls.root)

    def test_contents(self):
        self.assertEqual(files_below(self.root), {"usr/" + name for name in expected("vendor-completions")})
        for row in run("dpkg-deb", "-c", self.deb).stdout.splitlines():
            mode, owner, *_, name = row.split()
            wanted = "drwxr-xr-x" if name.endswith("/") else "-rwxr-xr-x" if name.endswith("bin/paytower") else "-rw-r--r--"
            self.assertEqual((mode, owner), (wanted, "root/root"), row)

    def test_the_binary_runs_and_its_libraries_are_dependencies(self):
        binary = os.path.join(self.root, "usr/bin/paytower")
        self.assertRegex(run(binary, "--version", env={}).stdout, r"^paytower \d+\.\d+\.\d+\n$")
        told = run(binary, "--version", "-v", env={}).stdout.splitlines()
        self.assertRegex(told[1], r"^commit ([0-9a-f]{12}(\+changes)?|unknown)$")
        self.assertRegex(told[2], r"^build \w*, \w+ \d+\.\d+")
        for line in told[3:]:
            self.assertRegex(line, r"^[a-z0-9-]+ \d+\.\d+")
        depends = run("dpkg-deb", "-f", self.deb, "Depends").stdout
        named = set(re.findall(r"([a-z0-9.+-]+)(?: \([^)]*\))?(?:, |\n)", depends))
        self.assertLessEqual({"libc6", "libsodium23", "libsqlite3-0"}, named)
        for package in named:
            self.assertTrue(run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", package).stdout.startswith("ii"), package)
        needed = re.findall(r"=> (\S+)", run("ldd", binary).stdout)
        owners = set()
        for path in needed:
            # With a merged /usr, dpkg may know the file by either name.
            paths = {path, os.path.realpath(path), "/usr" + path, path.removeprefix("/usr")}
            owners |= {line.split(":")[0] for line in run("dpkg-query", "-S", *sorted(paths), code=None).stdout.splitlines()}
        indirect = owners - named
        direct = set(re.findall(r"NEEDED\s+(\S+)", run("objdump", "-p", binary).stdout))
        for package in indirect:
            files = run("dpkg-query", "-L", package).stdout.split()
            self.assertFalse(direct & {os.path.basename(name) for name in files}, f"{package} is linked and not a dependency")

    def test_what_the_package_says_of_itself(self):
        summary, *longer = run("dpkg-deb", "-f", self.deb, "Description").stdout.splitlines()
        self.assertLess(len(summary), 80)
        self.assertGreater(len(longer), 5)
        docs = os.path.join(self.root, "usr/share/doc/paytower")
        with gzip.open(os.path.join(docs, "changelog.gz"), "rt", encoding="utf-8") as file:
            newest = file.readline().split()[1].strip("()")
        self.assertEqual(newest, run("dpkg-deb", "-f", self.deb, "Version").stdout.strip())
        with open(os.path.join(docs, "copyright"), encoding="utf-8") as file:
            told = file.read()
        self.assertIn("no licence has been chosen", told)
        for library in ("SQLiteCpp", "fmt", "nlohmann-json", "CLI11", "Boost"):  # compiled in
            self.assertIn(library, told)

    def as_root(self):
        if os.geteuid() == 0:
            return []
        if run("unshare", "--map-root-user", "true", code=None).returncode == 0:
            return ["unshare", "--map-root-user"]
        self.skipTest("dpkg --root needs root, or a user namespace")

    def test_installed_and_removed_by_dpkg_nothing_stays(self):
        root = os.path.join(self.folder, "root")
        admin = os.path.join(root, "var/lib/dpkg")
        for name in ("info", "updates", "triggers"):
            os.makedirs(os.path.join(admin, name))
        for name in ("status", "available"):
            open(os.path.join(admin, name), "w", encoding="utf-8").close()
        dpkg = [*self.as_root(), "dpkg", "--root=" + root, "--force-not-root", "--force-depends", "--force-script-chrootless",
                "--log=" + os.path.join(self.folder, "dpkg.log")]
        before = files_below(root)
        run(*dpkg, "--install", self.deb)
        self.assertTrue(expected("vendor-completions") <= {name[len("usr/"):] for name in files_below(root)})
        self.assertTrue(os.stat(os.path.join(root, "usr/bin/paytower")).st_mode & stat.S_IXOTH)
        # The timer is enabled; removing the package removes its link too.
        wishes = os.path.join(root, "etc/systemd/system/timers.target.wants")
        os.makedirs(wishes)
        os.symlink("/usr/lib/systemd/system/paytower-resume@.timer", os.path.join(wishes, "paytower-resume@op.timer"))
        run(*dpkg, "--remove", "paytower")
        self.assertEqual({name for name in files_below(root) - before if not name.startswith("var/lib/dpkg/")}, set())
        self.assertFalse(os.path.lexists(os.path.join(root, "usr")))
        run(*dpkg, "--purge", "paytower", code=None)
        self.assertEqual({name for name in files_below(root) if "paytower" in name}, set())

    def test_cmake_install(self):
        prefix = os.path.join(self.folder, "local")
        run("cmake", "--install", BUILD, "--prefix", prefix)
        self.assertEqual(files_below(prefix), expected("site-functions"))


class Units(harness.World):
    def setUp(self):
        super().setUp()
        self.units = os.path.join(self.folder, "units")
        os.mkdir(self.units)
        for name in UNITS:
            with open(os.path.join(manual.FOLDER, "..", "cli", "systemd", name), encoding="utf-8") as file:
                text = file.read().replace("ExecStart=paytower ", f"ExecStart={harness.BINARY} ")
            with open(os.path.join(self.units, name), "w", encoding="utf-8") as file:
                file.write(text)
            if name.endswith(".service"):
                self.service = text

    def test_systemd_finds_nothing_wrong(self):
        done = run("systemd-analyze", "verify", "--man=no", "paytower-resume@op.service", "paytower-resume@op.timer",
                   env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": self.units + ":"})
        self.assertEqual(done.stderr, "")

    def test_it_would_find_a_mistake(self):
        with open(os.path.join(self.units, UNITS[0]), "a", encoding="utf-8") as file:
            file.write("ProtectSystem=strickt\n")
        done = run("systemd-analyze", "verify", "--man=no", "paytower-resume@op.service", code=None,
                   env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": self.units + ":"})
        self.assertIn("strickt", done.stderr)

    def start(self, switch):
        """Runs the service's command as systemd does: only the unit's variables are in the environment."""
        state = os.path.join(self.folder, "state")
        command = shlex.split(re.search(r"^ExecStart=(.*)$", self.service, re.M).group(1))
        variables = dict(line.split("=", 1) for line in re.findall(r"^Environment=(.*)$", self.service, re.M))
        folder = "/var/lib/paytower/%i"
        self.assertEqual(variables["PAYTOWER_DB"], folder + "/payments.db")
        self.assertNotIn("ConditionPathExists", self.service)  # a missing database would skip the unit silently
        self.assertEqual("/var/lib/" + re.search(r"^StateDirectory=(.*)$", self.service, re.M).group(1), folder)
        variables["PAYTOWER_DB"] = variables["PAYTOWER_DB"].replace(folder, state)
        variables["PAYTOWER_SWITCH"] = switch  # this one is in the EnvironmentFile
        settings = [f"{name}={value}" for name, value in variables.items()]
        return run("env", "-i", *settings, *command, code=None, cwd="/")

    def test_the_command_of_the_service(self):
        os.mkdir(os.path.join(self.folder, "state"), 0o700)
        self.env["PAYTOWER_DB"] = os.path.join(self.folder, "state", "payments.db")
        invoice = self.invoice("250sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", invoice, "--yes", "--wait", "0")
        good = {0} | {int(code) for code in re.search(r"^SuccessExitStatus=(.*)$", self.service, re.M).group(1).split()}
        self.assertEqual(good, {harness.OK, harness.UNKNOWN, harness.BUSY})
        self.ok("simulate", "release", self.hash_of(invoice))
        done = self.start(self.switch)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assert_paid_once(self.hash_of(invoice))
        self.expect(harness.UNKNOWN, "send", self.invoice("250sat", "--hold", "forever"), "--yes", "--wait", "0")
        lost = self.start("sim:" + os.path.join(self.folder, "no.sim"))
        self.assertNotIn(lost.returncode, good)
        self.assertNotEqual(lost.stderr, "")

    def test_it_fails_where_there_is_no_database(self):
        os.mkdir(os.path.join(self.folder, "state"), 0o700)
        done = self.start(self.switch)
        self.assertEqual(done.returncode, harness.DATABASE)
        self.assertIn("payments.db", done.stderr)

    def test_the_readme_names_the_same_database(self):
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md"), encoding="utf-8") as file:
            paths = set(re.findall(r"/var/lib/[^ `]*\.db", file.read()))
        self.assertEqual(paths, {f"/var/lib/paytower/{user}/payments.db" for user in ("clightning", "lnd")})

    def test_its_limits_let_the_command_end_by_itself(self):
        self.assertIn("TimeoutStartSec=5min", self.service)
        self.assertNotIn("--wait", re.search(r"^ExecStart=(.*)$", self.service, re.M).group(1))
        self.assertIn("(default: 60s)", self.ok("resume", "--help").out)


if __name__ == "__main__":
    unittest.main()
