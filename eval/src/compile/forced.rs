//! Which parameters a function's body forces before it does anything else.
//!
//! Such an argument may be evaluated before the call instead of in a thunk: whatever evaluating it does (fail, not end)
//! is the first thing that the body would have done. The list stops at the first thing that is not just forcing a
//! parameter, so the order of effects stays the same.

use crate::code::Expr;
use crate::syntax::ast::Operator;

/// The parameters, of `count`, that are forced first, in order.
pub(super) fn forced_first(body: &Expr, count: usize) -> Vec<u32> {
    let mut walk = Walk { forced: Vec::new(), count };
    walk.expr(body);
    walk.forced
}

struct Walk {
    forced: Vec<u32>,
    count: usize,
}

impl Walk {
    /// Follows evaluation of an expression; true when all that it does is forcing parameters and total operations.
    fn expr(&mut self, expr: &Expr) -> bool {
        match expr {
            Expr::Const(_) | Expr::Lambda(_) => true,
            Expr::Local(slot) => {
                if (*slot as usize) < self.count && !self.forced.contains(slot) {
                    self.forced.push(*slot);
                }
                true
            }
            Expr::If(code) => {
                self.expr(&code.condition);
                false
            }
            Expr::Assert(code) => {
                self.expr(&code.condition);
                false
            }
            Expr::Select(code) => {
                self.expr(&code.subject);
                false
            }
            Expr::HasAttr(code) => {
                self.expr(&code.subject);
                false
            }
            Expr::Not(code) | Expr::Negate(code) => {
                self.expr(&code.operand);
                false
            }
            Expr::Binary(code) => {
                let strict = !matches!(code.operator, Operator::Update | Operator::Concat | Operator::Add);
                // Of the operators left out, the second operand is not always forced, or the first is checked before it.
                if self.expr(&code.left) && strict {
                    self.expr(&code.right);
                }
                false
            }
            Expr::Logical(code) => {
                self.expr(&code.left);
                false
            }
            Expr::Call(code) => {
                self.expr(&code.function);
                false
            }
            _ => false,
        }
    }
}
