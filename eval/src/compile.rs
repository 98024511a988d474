//! From syntax to code: resolves variables, sorts attributes by symbol, folds what is constant.
//!
//! A scope here is a level of environments there: whoever opens a [`Scope`] must have the evaluator make one
//! environment, and the other way round.

mod bindings;
mod forced;

use crate::arena::Arena;
use crate::code::{self, Expr, Formals, Lambda, Name, Parameters};
use crate::diagnostic::{Code, Diagnostic};
use crate::near::did_you_mean;
use crate::paths;
use crate::source::{Origin, Pos, Source, Span, behind_blank};
use crate::symbol::{Symbol, Symbols, names};
use crate::syntax::ast::{self, AttrName, ExprKind, Operator, Part, Pattern};
use crate::value::{List, Text, Value};
use rustc_hash::FxHashMap;

/// The names of the base environment and their values.
pub(crate) type Globals = FxHashMap<Symbol, Value>;

/// What the compiler needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compiler<'a> {
    /// All names.
    pub(crate) symbols: &'a Symbols,
    /// Where code is kept.
    pub(crate) bump: &'static Arena,
    /// The base environment.
    pub(crate) globals: &'a Globals,
    /// The directory that relative paths are relative to.
    pub(crate) directory: &'a [u8],
    /// The home directory, in impure evaluation.
    pub(crate) home: Option<&'a [u8]>,
    /// The source, for `__curPos`.
    pub(crate) source: &'a Source,
}

/// A level of environments and the names in it.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    up: Option<&'a Scope<'a>>,
    kind: ScopeKind,
    /// Whether a name that an operator stands for is bound here or around this scope.
    operators: bool,
}

#[derive(Debug)]
enum ScopeKind {
    /// Names with their slots, sorted by name.
    Names(Vec<(Symbol, u32)>),
    With,
}

impl<'a> Scope<'a> {
    /// A scope of names with their slots.
    pub(crate) fn of_names(up: Option<&'a Scope<'a>>, mut names: Vec<(Symbol, u32)>) -> Self {
        names.sort_unstable();
        let operators = up.is_some_and(|up| up.operators) || names.iter().any(|(name, _)| name.is_operator());
        Self { up, kind: ScopeKind::Names(names), operators }
    }

    fn with(up: &'a Scope<'a>) -> Self {
        Self { up: Some(up), kind: ScopeKind::With, operators: up.operators }
    }

    /// This scope and those around it, innermost first.
    fn chain(&'a self) -> impl Iterator<Item = &'a Scope<'a>> {
        std::iter::successors(Some(self), |scope| scope.up)
    }

    fn find(&self, name: Symbol) -> Option<(u32, u32)> {
        self.chain().zip(0..).find_map(|(scope, depth)| match &scope.kind {
            ScopeKind::Names(names) => {
                let index = names.binary_search_by_key(&name, |(name, _)| *name).ok()?;
                Some((depth, names[index].1))
            }
            ScopeKind::With => None,
        })
    }

    fn withs(&self) -> Vec<u32> {
        self.chain()
            .zip(0..)
            .filter(|(scope, _)| matches!(scope.kind, ScopeKind::With))
            .map(|(_, depth)| depth)
            .collect()
    }
}

/// One compilation: the compiler and the errors found so far.
struct Unit<'a> {
    compiler: Compiler<'a>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

/// Code, and what is to be said about its text.
pub(crate) type Compiled = (Expr, Vec<Diagnostic>);

/// Compiles an expression in a scope.
///
/// # Errors
/// All variables that are not defined, and other errors that need no evaluation.
pub(crate) fn compile(
    compiler: Compiler<'_>,
    expr: &ast::Expr,
    scope: &Scope<'_>,
) -> Result<Compiled, Vec<Diagnostic>> {
    let mut unit = Unit { compiler, errors: Vec::new(), warnings: Vec::new() };
    let code = unit.expr(expr, scope, None);
    if unit.errors.is_empty() { Ok((code, unit.warnings)) } else { Err(unit.errors) }
}

/// The warning about `http://x` without quotes.
#[cold]
fn url_literal(span: Span) -> Box<Diagnostic> {
    Diagnostic::warning(Code::UrlLiteral, span, "URLs without quotes are deprecated").hint("write it in quotes: \"…\"")
}

impl Unit<'_> {
    fn keep<T>(&self, value: T) -> &'static T {
        self.compiler.bump.alloc(value)
    }

    fn keep_all<T>(&self, values: Vec<T>) -> &'static [T] {
        self.compiler.bump.alloc_slice_fill_iter(values)
    }

    fn text(&self, bytes: &[u8]) -> Text {
        Text::plain(self.compiler.bump, self.compiler.bump.alloc_slice_copy(bytes))
    }

    fn all(&mut self, exprs: &[ast::Expr], scope: &Scope<'_>) -> &'static [Expr] {
        let code = exprs.iter().map(|expr| self.expr(expr, scope, None)).collect();
        self.keep_all(code)
    }

    /// Compiles an expression; `name` is what it is bound to, for functions.
    fn expr(&mut self, expr: &ast::Expr, scope: &Scope<'_>, name: Option<Symbol>) -> Expr {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Int(number) => Expr::Const(Value::Int(*number)),
            ExprKind::Float(number) => Expr::Const(Value::Float(*number)),
            ExprKind::String(parts) => self.string(parts, span, scope),
            ExprKind::Path(parts) => self.path(parts, span, scope),
            ExprKind::SearchPath(name) if scope.operators => self.bound_search_path(name, span, scope),
            ExprKind::SearchPath(name) => {
                let name = self.compiler.bump.alloc_slice_copy(name);
                Expr::SearchPath(self.keep(code::SearchPath { name, span }))
            }
            ExprKind::Variable(name) => self.variable(*name, span, scope),
            ExprKind::CurrentPosition => self.current_position(span),
            ExprKind::Select(subject, path, default) => {
                let default = default.as_ref().map(|default| self.expr(default, scope, None));
                let (subject, path) = (self.expr(subject, scope, None), self.attr_path(path, scope));
                let simple = subject.simple_to_select(path);
                Expr::Select(self.keep(code::Select { subject, path, default, simple, span }))
            }
            ExprKind::HasAttr(subject, path) => {
                let (subject, path) = (self.expr(subject, scope, None), self.attr_path(path, scope));
                Expr::HasAttr(self.keep(code::HasAttr { subject, path, span }))
            }
            ExprKind::Lambda(lambda) => self.lambda(lambda, span, scope, name),
            ExprKind::Call(function, arguments) => self.call(function, arguments, span, scope),
            ExprKind::If(parts) => {
                let [condition, yes, no] = [0, 1, 2].map(|part| self.expr(&parts[part], scope, None));
                Expr::If(self.keep(code::If { condition, span: parts[0].span, yes, no }))
            }
            ExprKind::Assert(parts) => {
                let (condition, body) = (self.expr(&parts[0], scope, None), self.expr(&parts[1], scope, name));
                Expr::Assert(self.keep(code::Assert { condition, span: parts[0].span, body }))
            }
            ExprKind::With(parts) => {
                let set = self.expr(&parts[0], scope, None);
                let body = self.expr(&parts[1], &Scope::with(scope), None);
                Expr::With(self.keep(code::With { set, body }))
            }
            ExprKind::Let(set, body) => self.let_in(set, body, scope),
            ExprKind::List(items) if items.is_empty() => Expr::Const(Value::List(List::EMPTY)),
            ExprKind::List(items) => {
                let items = self.all(items, scope);
                Expr::List(self.keep(code::ListCode { items }))
            }
            ExprKind::Attrs(set) => self.attrs(set, scope),
            ExprKind::Not(operand) => {
                let operand = self.expr(operand, scope, None);
                Expr::Not(self.keep(code::Unary { operand, span }))
            }
            ExprKind::Negate(operand) if scope.operators && scope.find(names::SUB).is_some() => {
                let zero = ast::Expr { kind: ExprKind::Int(0), span };
                self.call_of(names::SUB, [&zero, operand], span, scope)
            }
            ExprKind::Negate(operand) => {
                let operand = self.expr(operand, scope, None);
                Expr::Negate(self.keep(code::Unary { operand, span }))
            }
            ExprKind::Binary(operator, operands) => self.binary(*operator, operands, span, scope),
        }
    }

    fn binary(&mut self, operator: Operator, operands: &[ast::Expr; 2], span: Span, scope: &Scope<'_>) -> Expr {
        let [left, right] = operands;
        match operator {
            Operator::PipeInto => return self.call(right, std::slice::from_ref(left), span, scope),
            Operator::PipeFrom => return self.call(left, std::slice::from_ref(right), span, scope),
            _ => {}
        }
        if scope.operators
            && let Some(code) = self.bound_operator(operator, operands, span, scope)
        {
            return code;
        }
        // `a > b` is `b < a`, and that is the order of evaluation, too; `//` evaluates its right operand first.
        let (operator, left, right) = match operator {
            Operator::Greater => (Operator::Less, right, left),
            Operator::LessEqual => (Operator::GreaterEqual, right, left),
            Operator::Update => (Operator::Update, right, left),
            _ => (operator, left, right),
        };
        let (left_span, right_span) = (left.span, right.span);
        let (left, right) = (self.expr(left, scope, None), self.expr(right, scope, None));
        let simple = Expr::simple_operands(&left, &right);
        let code = self.keep(code::Binary { operator, left, right, simple, span, left_span, right_span });
        match operator {
            Operator::And | Operator::Or | Operator::Implies => Expr::Logical(code),
            _ => Expr::Binary(code),
        }
    }

    /// `-`, `*`, `/` and the comparisons stand for calls of names that a program may bind itself.
    fn bound_operator(
        &mut self,
        operator: Operator,
        operands: &[ast::Expr; 2],
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<Expr> {
        let [left, right] = operands;
        let (name, operands, negated) = match operator {
            Operator::Subtract => (names::SUB, [left, right], false),
            Operator::Multiply => (names::MUL, [left, right], false),
            Operator::Divide => (names::DIV, [left, right], false),
            Operator::Less => (names::LESS_THAN, [left, right], false),
            Operator::Greater => (names::LESS_THAN, [right, left], false),
            Operator::LessEqual => (names::LESS_THAN, [right, left], true),
            Operator::GreaterEqual => (names::LESS_THAN, [left, right], true),
            _ => return None,
        };
        scope.find(name)?;
        let operand = self.call_of(name, operands, span, scope);
        Some(if negated { Expr::Not(self.keep(code::Unary { operand, span })) } else { operand })
    }

    /// `<x>` where a program binds `__findFile` or `__nixPath`, which it stands for.
    fn bound_search_path(&mut self, name: &[u8], span: Span, scope: &Scope<'_>) -> Expr {
        let path = ast::Expr { kind: ExprKind::Variable(names::NIX_PATH), span };
        let name = ast::Expr { kind: ExprKind::String(vec![Part::Text(name.to_vec())]), span };
        self.call_of(names::FIND_FILE, [&path, &name], span, scope)
    }

    fn call_of(&mut self, name: Symbol, arguments: [&ast::Expr; 2], span: Span, scope: &Scope<'_>) -> Expr {
        let function = self.variable(name, span, scope);
        let arguments = arguments.map(|argument| self.expr(argument, scope, None));
        let arguments = self.keep_all(arguments.to_vec());
        Expr::Call(self.keep(code::Call { function, arguments, span, function_span: span }))
    }

    fn string(&mut self, parts: &[Part], span: Span, scope: &Scope<'_>) -> Expr {
        match parts {
            [] => Expr::Const(Value::String(crate::value::Text::EMPTY)),
            [Part::Text(text)] => {
                if self.compiler.source.byte(span.start).is_some_and(|byte| byte.is_ascii_alphabetic()) {
                    self.warnings.push(*url_literal(span));
                }
                Expr::Const(Value::String(self.text(text)))
            }
            _ => self.interpolate(parts, false, span, scope),
        }
    }

    fn path(&mut self, parts: &[Part], span: Span, scope: &Scope<'_>) -> Expr {
        let [Part::Text(first), rest @ ..] = parts else { return Expr::Const(Value::Null) };
        let Some(mut absolute) = self.absolute(first, span) else { return Expr::Const(Value::Null) };
        if rest.is_empty() {
            return Expr::Const(Value::Path(self.text(&absolute)));
        }
        if first.ends_with(b"/") && !absolute.ends_with(b"/") {
            absolute.push(b'/');
        }
        let Expr::Interpolate(code) = self.interpolate(rest, true, span, scope) else {
            return Expr::Const(Value::Null);
        };
        let start = Expr::Const(Value::Path(self.text(&absolute)));
        let parts = std::iter::once((start, span)).chain(code.parts.iter().copied()).collect();
        Expr::Interpolate(self.keep(code::Interpolate { parts: self.keep_all(parts), path: true, span }))
    }

    /// The absolute form of a path as it is written.
    fn absolute(&mut self, path: &[u8], span: Span) -> Option<Vec<u8>> {
        if let Some(rest) = path.strip_prefix(b"~") {
            let Some(home) = self.compiler.home else {
                let error = Diagnostic::new(Code::Impure, span, "there is no home directory in pure evaluation");
                self.errors.push(*error.hint("write the path relative to the file, or evaluate with --impure"));
                return None;
            };
            return Some(paths::canonical(&[home, rest].concat()));
        }
        Some(paths::absolute(path, self.compiler.directory))
    }

    fn interpolate(&mut self, parts: &[Part], path: bool, span: Span, scope: &Scope<'_>) -> Expr {
        let compiled = parts.iter().map(|part| match part {
            Part::Text(text) => (Expr::Const(Value::String(self.text(text))), span),
            Part::Expr(expr) => (self.expr(expr, scope, None), expr.span),
        });
        let compiled = compiled.collect();
        Expr::Interpolate(self.keep(code::Interpolate { parts: self.keep_all(compiled), path, span }))
    }

    fn variable(&mut self, name: Symbol, span: Span, scope: &Scope<'_>) -> Expr {
        if let Some((depth, slot)) = scope.find(name) {
            return if depth == 0 { Expr::Local(slot) } else { Expr::Variable { depth, slot } };
        }
        if let Some(&value) = self.compiler.globals.get(&name) {
            return Expr::Const(value);
        }
        let withs = scope.withs();
        if withs.is_empty() {
            self.undefined(name, span, scope);
            return Expr::Const(Value::Null);
        }
        Expr::Dynamic(self.keep(code::Dynamic { name, depths: self.keep_all(withs), span }))
    }

    fn undefined(&mut self, name: Symbol, span: Span, scope: &Scope<'_>) {
        let symbols = self.compiler.symbols;
        if let Some(error) = crate::builtins::unavailable(&symbols.display(name), span) {
            return self.errors.push(*error);
        }
        let in_scope = scope.chain().flat_map(|scope| match &scope.kind {
            ScopeKind::Names(names) => names.as_slice(),
            ScopeKind::With => &[],
        });
        let mut known: Vec<_> = in_scope.map(|(name, _)| symbols.bytes(*name)).collect();
        known.extend(self.compiler.globals.keys().map(|name| symbols.bytes(*name)));
        known.sort_unstable();
        let builtins = self.compiler.globals.get(&names::BUILTINS).copied();
        let hint = match builtins {
            Some(Value::Attrs(builtins)) if builtins.get(name).is_some() => {
                Some(format!("write `builtins.{}`", symbols.display(name)))
            }
            _ => did_you_mean(symbols.bytes(name), known.into_iter()),
        };
        let message = format!("undefined variable `{}`", symbols.display(name));
        let error = Diagnostic::new(Code::UndefinedVariable, span, message).label("not defined here").maybe_hint(hint);
        self.errors.push(*error);
    }

    fn current_position(&mut self, span: Span) -> Expr {
        if let Origin::Text(_) = *self.compiler.source.origin {
            return Expr::Const(Value::Null);
        }
        let place = self.compiler.source.line_column(span.start);
        let attr = |name, value| crate::attrs::Attr { name, pos: crate::source::Pos::NONE, value };
        let attrs = vec![
            attr(names::FILE, Value::String(self.text(self.compiler.source.name().as_bytes()))),
            attr(names::LINE, Value::Int(i64::from(place.line))),
            attr(names::COLUMN, Value::Int(i64::from(place.column))),
        ];
        Expr::Const(Value::Attrs(crate::attrs::Attrs::from_unsorted(self.compiler.bump, attrs)))
    }

    fn attr_path(&mut self, path: &[AttrName], scope: &Scope<'_>) -> &'static [(Name, Span)] {
        let names = path.iter().map(|name| match name {
            AttrName::Static(name, span) => (Name::Static(*name), *span),
            AttrName::Dynamic(expr) => (Name::Dynamic(self.expr(expr, scope, None)), expr.span),
        });
        let names = names.collect();
        self.keep_all(names)
    }

    fn call(&mut self, function: &ast::Expr, arguments: &[ast::Expr], span: Span, scope: &Scope<'_>) -> Expr {
        let (mut function, mut arguments) = (function, arguments.iter().collect::<Vec<_>>());
        // `(f x) y` is `f x y`.
        while let ExprKind::Call(inner, first) = &function.kind {
            function = inner;
            arguments.splice(0..0, first);
        }
        let function_span = function.span;
        let function = self.expr(function, scope, None);
        let function = self.fold_builtin(function);
        let arguments = arguments.into_iter().map(|argument| self.expr(argument, scope, None)).collect();
        let arguments = self.keep_all(arguments);
        Expr::Call(self.keep(code::Call { function, arguments, span, function_span }))
    }

    /// `builtins.x` in the place of a function is known now.
    fn fold_builtin(&self, expr: Expr) -> Expr {
        let Expr::Select(code::Select {
            subject: Expr::Const(Value::Attrs(set)), path: [(Name::Static(name), _)], ..
        }) = expr
        else {
            return expr;
        };
        match set.value(*name).map(Value::resolved) {
            Some(value @ Value::Builtin(_)) => Expr::Const(value),
            _ => expr,
        }
    }

    fn lambda(&mut self, lambda: &ast::Lambda, whole_span: Span, scope: &Scope<'_>, name: Option<Symbol>) -> Expr {
        match &lambda.pattern {
            Pattern::Name(..) => self.named_lambda(lambda, scope, name),
            Pattern::Set { formals, open, whole } => {
                let span = formals.first().map_or(lambda.body.span, |formal| formal.span);
                let mut sorted: Vec<_> = formals.iter().collect();
                sorted.sort_unstable_by_key(|formal| formal.name);
                let first = u32::from(whole.is_some());
                let slots = sorted.iter().map(|formal| formal.name).zip(first..);
                let slots = slots.chain(whole.map(|(name, _)| (name, 0))).collect();
                let inner = Scope::of_names(Some(scope), slots);
                let compiled = sorted.into_iter().map(|formal| code::Formal {
                    name: formal.name,
                    span: formal.span,
                    default: formal.default.as_ref().map(|default| self.expr(default, &inner, Some(formal.name))),
                });
                let formals = compiled.collect();
                let formals = self.keep_all(formals);
                let parameters = Parameters::Set(Formals {
                    formals,
                    open: *open,
                    whole: whole.is_some(),
                    whole_name: whole.map(|(name, _)| name),
                });
                let body = self.expr(&lambda.body, &inner, None);
                Expr::Lambda(self.keep(Lambda {
                    start: self.inside_brackets(whole_span),
                    name,
                    parameters,
                    body,
                    forced: &[],
                    span,
                }))
            }
        }
    }

    /// Where an expression starts whose span has the brackets around it.
    fn inside_brackets(&self, span: Span) -> Pos {
        let source = self.compiler.source;
        let mut rest = &source.text[source.offset(span.start)..];
        while let [b'(', inside @ ..] = rest {
            rest = behind_blank(inside);
        }
        let start = source.text.len() - rest.len();
        source.span(start, start).start
    }

    /// `a: b: e` is one function of two arguments.
    fn named_lambda(&mut self, lambda: &ast::Lambda, scope: &Scope<'_>, name: Option<Symbol>) -> Expr {
        let mut parameters = Vec::new();
        let mut span = Span::NONE;
        let mut inner = lambda;
        while let Pattern::Name(parameter, at) = inner.pattern {
            if parameters.contains(&parameter) {
                break;
            }
            parameters.push(parameter);
            span = if span.is_none() { at } else { span };
            match &inner.body.kind {
                ExprKind::Lambda(next) if matches!(next.pattern, Pattern::Name(name, _) if !parameters.contains(&name)) =>
                {
                    inner = next;
                }
                _ => break,
            }
        }
        let count = parameters.len();
        let scope = Scope::of_names(Some(scope), parameters.into_iter().zip(0..).collect());
        let body = self.expr(&inner.body, &scope, None);
        let forced = self.keep_all(forced::forced_first(&body, count));
        let start = span.start;
        Expr::Lambda(self.keep(Lambda { start, name, parameters: Parameters::Names(count), body, forced, span }))
    }
}
