// SPDX-License-Identifier: Apache-2.0
#include "cli/line_editor.h"

#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cwchar>
#include <string_view>

#include "cli/input.h"
#include "cli/signals.h"

namespace strata::cli {
namespace {

constexpr int kHistoryLines = 1000;

char* prompt(EditLine*) {
  static char text[] = ">>> ";
  return text;
}

// libedit's own reader would go on after a signal.
int read_character(EditLine*, wchar_t* character) {
  std::mbstate_t state = {};
  for (;;) {
    char byte;
    wait_for_input(STDIN_FILENO);
    if (pending_signal() != 0) return -1;
    ssize_t n = ::read(STDIN_FILENO, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return static_cast<int>(n);
    std::size_t length = std::mbrtowc(character, &byte, 1, &state);
    if (length == static_cast<std::size_t>(-2)) continue;
    if (length == static_cast<std::size_t>(-1)) *character = L'?';
    return 1;
  }
}

void use_utf8_characters() {
  std::setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

struct LineEditor::Terminal {
  Terminal() : edit(el_init("strata", stdin, stdout, stderr)), history(history_init()) {
    HistEvent event;
    ::history(history, &event, H_SETSIZE, kHistoryLines);
    ::history(history, &event, H_SETUNIQUE, 1);
    el_set(edit, EL_PROMPT, prompt);
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_HIST, ::history, history);
    el_set(edit, EL_GETCFN, read_character);
    el_source(edit, nullptr);
  }
  ~Terminal() {
    history_end(history);
    el_end(edit);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  EditLine* edit;
  History* history;
};

LineEditor::LineEditor() {
  if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
    use_utf8_characters();
    terminal_ = std::make_unique<Terminal>();
  } else {
    plain_ = std::make_unique<InputFile>("-");
  }
}

LineEditor::~LineEditor() = default;

LineEditor::Outcome LineEditor::read(std::string& line) {
  if (plain_) return plain_->next_line(line) ? Outcome::kLine : Outcome::kEnd;
  el_resize(terminal_->edit);
  el_set(terminal_->edit, EL_PREP_TERM, 1);  // before the prompt, after which keys such as Ctrl-D may come at once
  int length = 0;
  const char* text = el_gets(terminal_->edit, &length);
  if (pending_signal() != 0) {
    el_reset(terminal_->edit);
    return Outcome::kInterrupted;
  }
  if (text == nullptr || length <= 0) return Outcome::kEnd;
  line.assign(text, static_cast<std::size_t>(length));
  HistEvent event;
  if (line != "\n") ::history(terminal_->history, &event, H_ENTER, text);
  while (line.ends_with('\n')) line.pop_back();
  return Outcome::kLine;
}

}  // namespace strata::cli
