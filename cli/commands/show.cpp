// `show`: all that is known of one payment.
#include <array>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/output/imported_raw.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

struct ShowOptions {
  HashArgument hash;
  bool omit_hops = false;
};

constexpr auto show_flags = std::to_array<Flag>({
    {"omit-hops", "leave the hops out", into::on<&ShowOptions::omit_hops>},
});

void take(ShowOptions& show, const Given& given) { show.hash = given.hash(); }

[[noreturn]] void unreadable(const db::BadRow& row) {
  refuse(Errc::database, fmt::format("payment {} cannot be read: {}", row.index.value, row.reason), "paytower check");
}

void print(const Payment& head, const db::HashHistory& history, const ShowOptions& options, Session& session,
           db::Connection& connection) {
  std::vector<Payment> older;
  for (const Payment& one : history.tries) {
    if (one.index != head.index) older.push_back(one);
  }
  if (!session.output.json()) {
    session.output.result(payment_page(head, older, history.duplicates, options.omit_hops, session.output));
    return;
  }
  std::string raw = "[]";
  if (head.provenance != Provenance::native)
    raw = dump(imported_raw_json(value_of(db::imported_raw_of(connection, head.index, head.request.hash))));
  PaymentView view{&head, options.omit_hops, older, history.duplicates, raw};
  view.overpayment = possible_overpayment(head, older);
  session.output.result(fmt::format("{}\n", payment_text(view)));
}

ExitCode run(const ShowOptions& options, Session& session) {
  const auto database = open_database(session, db::OpenMode::read_only);
  const PaymentHash hash = find_hash(session, database.get(), options.hash, false);
  session.output.speak_of(hash);
  if (!database) refuse(no_such_payment(options.hash));
  const auto history = value_of(database->query.history(hash, options.omit_hops && session.output.json()));
  if (!history) refuse(no_such_payment(options.hash));
  if (!history->bad_rows.empty()) unreadable(history->bad_rows.front());
  const Payment* head = history->head();
  if (head == nullptr && !history->duplicates.empty()) head = &history->duplicates.back();
  if (head != nullptr) {
    print(*head, *history, options, session, database->connection);
  } else if (history->guard) {
    session.output.result(session.output.json() ? fmt::format("{}\n", dump(guard_json(*history->guard)))
                                                : guard_page(*history->guard, session.output));
  } else {
    refuse(no_such_payment(options.hash));
  }
  return ExitCode::ok;
}

}  // namespace

constexpr Command show_command = command<ShowOptions, take, run>({
    .name = "show",
    .words = "HASH|INVOICE",
    .summary = "Show one payment with all its attempts",
    .about = "The facts, the attempts, and what may be done next. Exit 0 whatever the status.",
    .flags = show_flags,
    .examples = "  paytower show 3f9c0d12ab8e\n"
                "  paytower show 3f9c0d12ab8e --json | jq .status",
    .only_shows = true,
});

}  // namespace paytower::cli
