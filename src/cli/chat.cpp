// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <memory>
#include <utility>

#include "base/error.h"
#include "cli/command.h"
#include "cli/conversation.h"
#include "cli/grammar_option.h"
#include "cli/line_editor.h"
#include "cli/model_source.h"
#include "cli/not_numbers.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "import/model_folder.h"
#include "text/render_chat.h"

namespace strata::cli {
namespace {

struct ChatOptions {
  ModelSource model;
  std::string system;
  bool think = false, no_think = false;
  runtime::SessionOptions session;
  text::ContinuationOptions generation;
  GrammarOption grammar;
  SamplingFlags sampling;
};

constexpr const char* kHelp =
    "/help          this\n"
    "/reset         forget the conversation, keep the system message\n"
    "/system TEXT   start anew with this system message\n"
    "/stats         tokens, speed, use of the context\n"
    "/exit          leave (also Ctrl-D, or Ctrl-C twice)\n"
    "Ctrl-C stops an answer.";

// Prints an answer as it comes; on a terminal, what the model thinks is dim.
class AnswerPrinter {
 public:
  explicit AnswerPrinter(Console& console) : console_(console), has_styles_(console.stdout_is_terminal()) {}
  ~AnswerPrinter() = default;

  void print(std::string_view text) {
    if (has_styles_ && text == "<think>") is_dim_ = true, console_.out("\033[2m");
    console_.out(text);
    if (text == "</think>") end_dim();
    console_.flush();
  }

  void finish() {
    end_dim();
    console_.out("\n");
    console_.flush();
  }

 private:
  void end_dim() {
    if (std::exchange(is_dim_, false)) console_.out("\033[0m");
  }

  Console& console_;
  bool has_styles_, is_dim_ = false;
};

class Chat {
 public:
  Chat(Conversation conversation, Console& console) : conversation_(std::move(conversation)), console_(console) {}

  // Until the end of the input, /exit, SIGTERM, SIGHUP, or Ctrl-C twice.
  void talk() {
    LineEditor editor;
    bool interrupted_before = false;
    for (std::string line; !is_over_;) {
      switch (editor.read(line)) {
        case LineEditor::Outcome::kEnd:
          if (editor.is_interactive()) console_.out("\n");
          return;
        case LineEditor::Outcome::kInterrupted:
          if (interrupted_before || pending_signal() != SIGINT) stop_if_interrupted();
          console_.info("\n(Ctrl-C again, or /exit, to leave)");
          clear_pending_interrupt();
          interrupted_before = true;
          continue;
        case LineEditor::Outcome::kLine:
          interrupted_before = false;
          take(line);
      }
    }
  }

 private:
  void take(const std::string& line) {
    if (line.find_first_not_of(" \t") == std::string::npos) return;
    if (line.starts_with('/')) {
      obey(line);
    } else {
      answer(line);
    }
  }

  void obey(const std::string& line) {
    auto space = line.find(' ');
    std::string command = line.substr(0, space);
    std::string argument = space == std::string::npos ? "" : line.substr(space + 1);
    if (command == "/exit" || command == "/quit" || command == "/bye") {
      is_over_ = true;
    } else if (command == "/reset") {
      conversation_.reset();
      console_.info("(the conversation starts anew)");
    } else if (command == "/system") {
      conversation_.set_system(argument);
      console_.info("(the conversation starts anew, with this system message)");
    } else if (command == "/stats") {
      console_.info(statistics());
    } else {
      console_.info(command == "/help" || command == "/?" ? kHelp : command + " is not a command; /help lists them");
    }
  }

  void answer(const std::string& line) {
    AnswerPrinter printer(console_);
    auto emit = [&](std::string_view text) { printer.print(text); };
    auto progress = [&](std::int64_t done) { console_.transient("reading: " + std::to_string(done) + " tokens"); };
    try {
      last_ = conversation_.ask(line, emit, progress);
    } catch (const Error& error) {
      if (error.code() != ExitCode::kUsage) throw;
      console_.info("(" + std::string(error.what()) + ")");
      return;
    }
    printer.finish();
    ++turns_;
    if (pending_signal() != SIGINT) stop_if_interrupted();
    clear_pending_interrupt();
    explain_end();
  }

  void explain_end() {
    if (last_.dropped > 0) {
      console_.info("(the context is full: the " + std::to_string(last_.dropped) +
                    " oldest messages were left out; /reset starts anew)");
    }
    if (last_.answer.end == text::EndOfText::kFullContext) {
      console_.info("(stopped: the context of " + std::to_string(conversation_.context()) +
                    " tokens is full; /reset, or start again with a larger -c)");
    }
    if (last_.answer.end == text::EndOfText::kInterrupted) console_.info("(stopped)");
  }

  std::string statistics() const {
    std::string text = "context " + std::to_string(conversation_.tokens()) + " of " +
                       std::to_string(conversation_.context()) + " tokens, answers: " + std::to_string(turns_);
    if (turns_ == 0) return text;
    return text + "\nlast: " + describe_speed(last_.answer) + "; " + std::to_string(last_.reused) +
           " prompt tokens were in the cache";
  }

  Conversation conversation_;
  Console& console_;
  Conversation::Turn last_;
  int turns_ = 0;
  bool is_over_ = false;
};

std::optional<bool> thinking(const ChatOptions& options) {
  if (options.think) return true;
  if (options.no_think) return false;
  return std::nullopt;
}

grammar::Thoughts thoughts_of_answers(const text::TextModel& model, const ChatOptions& options) {
  if (options.grammar.grammar.empty() && options.grammar.schema.empty()) return grammar::Thoughts::kNone;
  nlohmann::ordered_json context = {{"messages", {{{"role", "user"}, {"content", "Hello"}}}},
                                    {"add_generation_prompt", true}};
  if (const std::optional<bool> thinks = thinking(options)) context["enable_thinking"] = *thinks;
  return text::thoughts_behind(text::render_chat(model, std::move(context)), model.tokenizer);
}

// A package in the cache has no name of its own.
std::string model_label(const runtime::Session& session, const std::string& model) {
  const std::string& name = session.manifest().model_name;
  return name.empty() ? importer::model_name(importer::resolve_model_folder(model)) : name;
}

void chat(ChatOptions options, Console& console) {
  text::TextModel model = load_model_text(options.model.path);
  text::require_chat_template(model, options.model.path);
  options.generation.grammar = load_grammar(options.grammar, thoughts_of_answers(model, options));
  resolve_sampling(options.generation, options.sampling, model, console);
  auto session = open_session(console, options.model, options.session);
  Conversation conversation(*session, model, options.generation, thinking(options));
  conversation.set_system(options.system);
  console.info("strata: " + model_label(*session, options.model.path) + ", context of " +
               std::to_string(session->context()) + " tokens; /help lists the commands");
  set_interrupt_policy(InterruptPolicy::kStopWork);
  try {
    Chat(std::move(conversation), console).talk();
  } catch (const NotNumbers& error) {
    trace_not_numbers(console, options.model, error);
    throw;
  }
}

}  // namespace

Action declare_chat(CLI::App& app, Console& console) {
  auto options = std::make_shared<ChatOptions>();
  add_model_to_run(app, options->model);
  app.add_option("--system", options->system, "System message");
  auto* think = app.add_flag("--think", options->think, "Let the model think before it answers");
  app.add_flag("--no-think", options->no_think, "Have it answer at once")->excludes(think);
  add_generation_options(app, options->generation, options->sampling);
  add_grammar_option(app, options->grammar);
  add_threads(app, options->session.threads);
  add_verify(app, options->session.verify);
  add_context(app, options->session.context);
  return [options, &console] { chat(*options, console); };
}

}  // namespace strata::cli
