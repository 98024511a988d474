//! Calls: binding arguments to parameters, builtin functions, functors.

use super::Evaluator;
use super::run::Started;
use crate::attrs::Attrs;
use crate::builtins::Builtin;
use crate::code::{Call, Expr, Formal, Formals, Parameters};
use crate::diagnostic::{CallPart, Code, Diagnostic, Result};
use crate::env::Env;
use crate::near::did_you_mean;
use crate::source::Span;
use crate::symbol::names;
use crate::value::{Closure, Partial, Value};

/// Calls with up to so many arguments keep them on the stack.
const FEW: usize = 4;

impl Evaluator<'_> {
    /// Runs a call in the code up to the body of the function.
    #[inline]
    pub(super) fn start_call(&self, code: &'static Call, env: Env) -> Result<Started> {
        let function = match self.eval(&code.function, env) {
            Ok(function) => function,
            Err(error) => return Err(error.at(code.function_span)),
        };
        match function {
            Value::Lambda(closure)
                if closure.applied.is_empty() && closure.lambda.parameters.arity() == code.arguments.len() =>
            {
                let lambda = closure.lambda;
                let inner = self.bind_arguments(closure, code, env)?;
                Ok(Started::Body(lambda, inner))
            }
            Value::Builtin(builtin) if builtin.arity as usize == code.arguments.len() => {
                self.call_builtin(builtin, code, env).map(Started::Done)
            }
            _ => {
                let arguments: Vec<_> = code.arguments.iter().map(|argument| self.delay(argument, env)).collect();
                let result = self.call(function, &arguments, code.span);
                result.map(Started::Done).map_err(|error| error.of_call(&arguments, code.span))
            }
        }
    }

    fn bind_arguments(&self, closure: &'static Closure, code: &'static Call, env: Env) -> Result<Env> {
        let lambda = closure.lambda;
        match &lambda.parameters {
            Parameters::Names(1) => {
                let argument = &code.arguments[0];
                let forced = !lambda.forced.is_empty();
                let value = if forced { self.eval(argument, env)? } else { self.delay(argument, env) };
                Ok(self.envs.of(closure.env, &[value]))
            }
            Parameters::Names(count) if *count <= FEW => {
                let mut values = [Value::Null; FEW];
                for &slot in lambda.forced {
                    values[slot as usize] = self.eval(&code.arguments[slot as usize], env)?;
                }
                for (slot, argument) in code.arguments.iter().enumerate() {
                    if !lambda.forced.contains(&(slot as u32)) {
                        values[slot] = self.delay(argument, env);
                    }
                }
                Ok(self.envs.of(closure.env, &values[..*count]))
            }
            Parameters::Names(count) => {
                let mut builder = self.envs.builder(closure.env, *count);
                for argument in code.arguments {
                    builder.push(self.delay(argument, env));
                }
                Ok(builder.env())
            }
            Parameters::Set(formals) => {
                let argument = self.eval(&code.arguments[0], env)?;
                self.bind_formals(closure, formals, argument, code.span)
            }
        }
    }

    /// Binds the attributes of an argument to the names of a set pattern.
    fn bind_formals(
        &self,
        closure: &'static Closure,
        formals: &'static Formals,
        argument: Value,
        span: Span,
    ) -> Result<Env> {
        let Value::Attrs(attrs) = argument else {
            let error = self.wrong_type("a set", argument, span, "");
            return Err(error.also(closure.lambda.span, "this function takes a set"));
        };
        let room = formals.formals.len() + usize::from(formals.whole);
        let mut builder = self.envs.builder(closure.env, room);
        let env = builder.env();
        if formals.whole {
            builder.push(argument);
        }
        let mut defaults = 0;
        for formal in formals.formals {
            match (attrs.get(formal.name), &formal.default) {
                (Some(attr), _) => builder.push(attr.value),
                (None, Some(default)) => {
                    defaults += 1;
                    builder.push(self.delay_default(default, env));
                }
                (None, None) => return Err(self.missing_argument(closure, formal, attrs, span)),
            }
        }
        if !formals.open && attrs.len() != formals.formals.len() - defaults {
            return Err(self.unexpected_argument(closure, formals, attrs, span));
        }
        Ok(env)
    }

    /// The value of a default: it may refer to slots that are not set yet.
    fn delay_default(&self, default: &'static Expr, env: Env) -> Value {
        match *default {
            Expr::Const(value) => value,
            _ => self.thunk(default, env),
        }
    }

    fn function_name(&self, closure: &Closure) -> String {
        match closure.lambda.name {
            Some(name) => format!("function `{}`", self.session.symbols().display(name)),
            None => "the function".to_owned(),
        }
    }

    #[cold]
    fn missing_argument(&self, closure: &Closure, formal: &Formal, given: Attrs, span: Span) -> Box<Diagnostic> {
        let (symbols, name) = (self.session.symbols(), formal.name);
        let message =
            format!("{} is called without required argument `{}`", self.function_name(closure), symbols.display(name));
        let near = did_you_mean(symbols.bytes(name), given.all().iter().map(|attr| symbols.bytes(attr.name)));
        let hint = near.map(|near| format!("among the arguments that were given: {near}"));
        Diagnostic::new(Code::MissingArgument, span, message)
            .label(format!("argument `{}` is missing", symbols.display(name)))
            .also(formal.span, "the function requires it here")
            .maybe_hint(hint)
    }

    #[cold]
    fn unexpected_argument(&self, closure: &Closure, formals: &Formals, given: Attrs, span: Span) -> Box<Diagnostic> {
        let symbols = self.session.symbols();
        let known = |name| formals.formals.iter().any(|formal| formal.name == name);
        let mut unknown: Vec<_> = given.all().iter().filter(|attr| !known(attr.name)).collect();
        unknown.sort_by_key(|attr| symbols.bytes(attr.name));
        let names: Vec<_> = unknown.iter().map(|attr| format!("`{}`", symbols.display(attr.name))).collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        let message = format!("{} does not take argument{plural} {}", self.function_name(closure), names.join(", "));
        let place = unknown.first().map_or(Span::NONE, |attr| self.session.name_span(attr.pos));
        let first = unknown.first().map_or(&b""[..], |attr| symbols.bytes(attr.name));
        let hint = did_you_mean(first, formals.formals.iter().map(|formal| symbols.bytes(formal.name)));
        let error = Diagnostic::new(Code::UnexpectedArgument, if place.is_none() { span } else { place }, message);
        error
            .label("not an argument of the function")
            .also(closure.lambda.span, "the function is defined here")
            .maybe_hint(hint)
    }

    #[inline]
    fn call_builtin(&self, builtin: &'static Builtin, code: &'static Call, env: Env) -> Result<Value> {
        let mut values = [Value::Null; FEW];
        for (slot, argument) in code.arguments.iter().enumerate() {
            let forced = builtin.forces & (1 << slot) != 0;
            values[slot] = if forced {
                self.eval(argument, env).map_err(|error| error.at(code.span))?
            } else {
                self.delay(argument, env)
            };
        }
        let values = &values[..code.arguments.len()];
        (builtin.run)(self, values, code.span).map_err(|error| error.at(code.span).of_builtin(values, code.span))
    }

    /// Applies a function to arguments, one or more.
    ///
    /// # Errors
    /// Whatever evaluation raises; when the value is not a function.
    pub(crate) fn call(&self, function: Value, arguments: &[Value], span: Span) -> Result<Value> {
        let entered = self.enter(span);
        let result = entered.and_then(|()| self.call_entered(function, arguments, span));
        self.depth.set(self.depth.get() - 1);
        result.map_err(|error| error.at(span))
    }

    #[inline]
    fn call_entered(&self, function: Value, arguments: &[Value], span: Span) -> Result<Value> {
        if let Value::Lambda(closure) = function
            && let Parameters::Names(count) = closure.lambda.parameters
            && count == arguments.len()
            && closure.applied.is_empty()
        {
            let env = self.envs.of(closure.env, arguments);
            let result = self.eval(&closure.lambda.body, env);
            return match result {
                Ok(value) => {
                    self.recycle(env, 1);
                    Ok(value)
                }
                Err(error) => Err(self.call_frame(error, span, closure.lambda)),
            };
        }
        self.call_in_steps(function, arguments, span)
    }

    fn call_in_steps(&self, mut function: Value, mut arguments: &[Value], span: Span) -> Result<Value> {
        let given = arguments.len();
        while !arguments.is_empty() {
            let (value, used) = match self.force(function)? {
                Value::Lambda(closure) => self.apply_lambda(closure, arguments, span)?,
                Value::Builtin(builtin) => self.apply_builtin(builtin, &[], arguments, span)?,
                Value::Partial(partial) => self.apply_builtin(partial.builtin, partial.applied, arguments, span)?,
                set @ Value::Attrs(attrs) if attrs.get(names::FUNCTOR).is_some() => {
                    let functor = attrs.value(names::FUNCTOR).unwrap_or(Value::Null);
                    (self.call(functor, &[set], span)?, 0)
                }
                other => return Err(self.not_a_function(other, given - arguments.len(), span)),
            };
            function = value;
            arguments = &arguments[used..];
        }
        self.force(function)
    }

    /// Applies a function to as many arguments as it takes; gives how many those were.
    fn apply_lambda(&self, closure: &'static Closure, arguments: &[Value], span: Span) -> Result<(Value, usize)> {
        let lambda = closure.lambda;
        let wanted = lambda.parameters.arity() - closure.applied.len();
        if arguments.len() < wanted {
            let applied = self.bump.alloc_slice_copy(&[closure.applied, arguments].concat());
            return Ok((Value::Lambda(self.bump.alloc(Closure { applied, ..*closure })), arguments.len()));
        }
        let env = match &lambda.parameters {
            Parameters::Set(formals) => self.bind_formals(closure, formals, self.force(arguments[0])?, span)?,
            Parameters::Names(count) => {
                let mut builder = self.envs.builder(closure.env, *count);
                for &value in closure.applied.iter().chain(&arguments[..wanted]) {
                    builder.push(value);
                }
                builder.env()
            }
        };
        let value = self.eval(&lambda.body, env).map_err(|error| self.call_frame(error, span, lambda))?;
        Ok((value, wanted))
    }

    fn apply_builtin(
        &self,
        builtin: &'static Builtin,
        applied: &[Value],
        arguments: &[Value],
        span: Span,
    ) -> Result<(Value, usize)> {
        let wanted = builtin.arity as usize - applied.len();
        if arguments.len() < wanted {
            let applied = self.bump.alloc_slice_copy(&[applied, arguments].concat());
            return Ok((Value::Partial(self.bump.alloc(Partial { builtin, applied })), arguments.len()));
        }
        let mut values = [Value::Null; FEW];
        let all = applied.iter().chain(&arguments[..wanted]);
        for (slot, value) in values.iter_mut().zip(all) {
            *slot = *value;
        }
        let value = (builtin.run)(self, &values[..builtin.arity as usize], span).map_err(Diagnostic::of_other_call)?;
        Ok((self.force(value)?, wanted))
    }

    /// The error for calling what is no function; `used` is how many arguments were taken before it came out.
    #[cold]
    fn not_a_function(&self, value: Value, used: usize, span: Span) -> Box<Diagnostic> {
        if used > 0 {
            let arguments = if used == 1 { "one argument" } else { &format!("{used} arguments") };
            let message = format!(
                "too many arguments: after {arguments} the result is {}, not another function",
                value.describe()
            );
            let error = Diagnostic::new(Code::NotAFunction, span, message).label("this argument is too many");
            return error.part(CallPart::Argument(used)).hint(MISPLACED_CALL);
        }
        let message = format!("{} is called like a function", value.describe());
        let error = Diagnostic::new(Code::NotAFunction, span, message).label(self.show_short(value));
        let error = error.part(CallPart::Function);
        match value {
            Value::Attrs(_) => error.hint("a set can be called only if it has the attribute `__functor`"),
            _ => error.hint(MISPLACED_CALL),
        }
    }
}

/// What to do about a call that was not meant to be one.
const MISPLACED_CALL: &str = "inside a list, put calls in brackets; at the end of a binding, check for a missing `;`";
