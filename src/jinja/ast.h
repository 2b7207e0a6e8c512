// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace strata::jinja {

enum class ExprKind {
  kConstant,
  kName,         // text
  kList,         // args
  kTuple,        // args
  kDict,         // args: key, value, key, value, ...
  kAttribute,    // args[0] . text
  kItem,         // args[0] [ args[1] ]
  kSlice,        // args[0] [ args[1] : args[2] : args[3] ], missing ones null
  kCall,         // args[0] ( args[1...], named )
  kFilter,       // args[0] | text ( args[1...], named )
  kTest,         // args[0] is text ( args[1...], named )
  kNot,          // args[0]
  kNegate,       // - args[0]
  kPlus,         // + args[0]
  kAnd,          // args[0] and args[1]
  kOr,           // args[0] or args[1]
  kConcat,       // all args, as strings
  kArithmetic,   // args[0] text args[1], text one of + - * / // % **
  kCompare,      // args[0] ops[0] args[1] ops[1] args[2] ...
  kConditional,  // args[1] if args[0] else args[2], which may be null
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  ExprKind kind = ExprKind::kConstant;
  int line = 0;
  int depth = 1;  // of the tree below; the parser bounds it
  std::string text;
  std::variant<std::monostate, bool, std::int64_t, double, std::string> constant;  // monostate: none
  std::vector<ExprPtr> args;
  std::vector<std::pair<std::string, ExprPtr>> named;  // in order; of the names kSpread and kSpreadNamed what they say
  std::vector<std::string> ops;                        // == != < <= > >= in notin
};

// f(*items, **members)
inline constexpr const char* kSpread = "*";
inline constexpr const char* kSpreadNamed = "**";

struct Statement;
using Block = std::vector<std::unique_ptr<Statement>>;

// What set, for and with assign to: a name, an attribute of a namespace, or several targets.
struct Target {
  std::string name;
  std::string attribute;      // name.attribute = ..., name being a namespace
  std::vector<Target> parts;  // a, (b, c) = ...; not empty where it unpacks
};

struct Parameter {
  std::string name;
  ExprPtr otherwise;  // null: undefined
};

enum class StatementKind {
  kText,      // text
  kOutput,    // expr
  kIf,        // branches
  kFor,       // target in expr if condition: body, else branches[0].second
  kSet,       // target = expr
  kSetBlock,  // target = body | filter expr
  kMacro,     // name, parameters, body
  kCall,      // call expr with body as caller, parameters
  kFilter,    // body | filter expr
  kWith,      // assignments, body
  kScope,     // body in a scope of its own: the generation block
  kBreak,
  kContinue,
};

struct Statement {
  StatementKind kind = StatementKind::kText;
  int line = 0;
  std::string text;  // data, or the macro's name
  Target target;
  ExprPtr expr;               // of kSetBlock and kFilter: a chain of filters around a kName of kBlockInput, or null
  ExprPtr condition;          // of kFor
  bool is_recursive = false;  // of kFor
  std::vector<std::pair<ExprPtr, Block>> branches;  // of kIf: the test (null: else) and what follows
  std::vector<Parameter> parameters;
  std::vector<std::pair<Target, ExprPtr>> assignments;
  Block body;
};

// The name under which a filter chain finds the text of its block; no template can write it.
inline constexpr const char* kBlockInput = "<block>";

struct Template {
  Block body;
};

}  // namespace strata::jinja
