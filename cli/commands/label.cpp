// `label`: what people call a payment, changed afterwards. It changes nothing of what may be paid.
#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/input/named_payment.h"
#include "cli/output/render.h"
#include "cli/output/text.h"
#include "core/base/limits.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

struct LabelOptions {
  HashArgument hash;
  std::string text;
};

void take(LabelOptions& label, const Given& given) {
  if (given.words.size() != 2)
    given.refuse("this takes a payment and one text, in quotes where it has blanks; \"\" removes the label");
  label.hash = named_payment(given.words[0]);
  label.text = given.words[1];
  if (label.text.size() > limits::max_label_bytes)
    given.refuse(fmt::format("the label is longer than {} bytes", limits::max_label_bytes));
}

[[noreturn]] void refuse_unknown(Database& database, const HashArgument& argument, const PaymentHash& hash) {
  if (value_of(database.store.find(hash)).guard) {
    refuse(Errc::already_ended, "this payment was deleted, so there is nothing to label",
           fmt::format("paytower show {}", hash.hex()));
  }
  refuse(no_such_payment(argument));
}

/// As `show` puts it first.
Payment shown_payment(Database& database, const PaymentHash& hash) {
  auto history = value_of(database.query.history(hash));
  if (history && history->head() != nullptr) return *history->head();
  if (history && !history->duplicates.empty()) return std::move(history->duplicates.back());
  refuse(Errc::database, "the label is stored, but the payment cannot be read", "paytower check");
}

void report(Output& output, const Payment& payment) {
  if (output.json()) return output.result(fmt::format("{}\n", payment_text(PaymentView{&payment})));
  const std::string label = printable(payment.request.label);
  output.result(fmt::format("{}\n  payment hash  {}\n",
                            label.empty() ? "No label any more" : fmt::format("Label: {}", label),
                            payment.request.hash.hex()));
}

ExitCode run(const LabelOptions& options, Session& session) {
  const auto database = open_database(session, db::OpenMode::read_write);
  const PaymentHash hash = find_hash(session, database.get(), options.hash, false);
  session.output.speak_of(hash);
  if (!database) refuse(no_such_payment(options.hash));
  if (!value_of(database->admin.set_label(hash, options.text))) refuse_unknown(*database, options.hash, hash);
  report(session.output, shown_payment(*database, hash));
  session.output.flush();
  database->store.checkpoint_if_due();
  return ExitCode::ok;
}

}  // namespace

constexpr Command label_command = command<LabelOptions, take, run>({
    .name = "label",
    .words = "HASH|INVOICE TEXT",
    .summary = "Change the label of a payment",
    .about =
        "A note of your own, for all tries of the payment, also while it is in flight; \"\" removes it. What may be\n"
        "paid does not depend on it.",
    .examples = "  paytower label 3f9c0d12ab8e \"rent, May\"\n"
                "  paytower label 3f9c0d12ab8e \"\"",
});

}  // namespace paytower::cli
