//! Operations: a chain of one operator is on one line, or has a line for each operand.

use super::doc::{Doc, HARD, SPACE, Spacing, first_group, group, transparent};
use super::expression::is_term;
use super::{Docs, Formatter};
use crate::syntax::Kind;
use crate::syntax::tree::Element;
use crate::syntax::typed::Binary;

/// An operand, with the operator before it.
type Operand<'t> = (Option<Element<'t>>, Element<'t>);

impl<'t> Formatter<'t> {
    pub(super) fn operation(&mut self, operation: Element<'t>) -> Docs {
        let operands = chain(operation);
        if is_comparison(operation) {
            return self.comparison(&operands);
        }
        self.lift_operator_comments(&operands);
        self.chained(&operands, false)
    }

    fn comparison(&mut self, operands: &[Operand<'t>]) -> Docs {
        let mut docs = Docs::new();
        for (operator, operand) in operands {
            if let Some(operator) = operator {
                docs.push(Doc::Space(Spacing::Soft));
                docs.extend(self.token(*operator));
                docs.push(HARD);
            }
            docs.extend(self.expr(*operand));
        }
        docs
    }

    fn chained(&mut self, operands: &[Operand<'t>], wide: bool) -> Docs {
        let mut docs = Docs::new();
        for (operator, operand) in operands {
            match operator {
                None if wide => docs.extend(self.absorbed_term(*operand, true)),
                None => docs.extend(self.expr(*operand)),
                Some(operator) => {
                    docs.push(SPACE);
                    docs.extend(self.token(*operator));
                    docs.extend(self.nested(|formatter| formatter.operand(*operand)));
                }
            }
        }
        docs
    }

    /// An operand with the space between the operator and it.
    fn operand(&mut self, operand: Element<'t>) -> Docs {
        match operand.kind() {
            Kind::Binary => vec![group(vec![SPACE, group(self.operation(operand))])],
            Kind::Call => self.call(operand, vec![SPACE], false),
            _ => [vec![HARD], self.expr(operand)].concat(),
        }
    }

    /// Comments behind an operator go before it.
    fn lift_operator_comments(&mut self, operands: &[Operand<'t>]) {
        for operator in operands.iter().filter_map(|(operator, _)| *operator) {
            if let Some(text) = self.comments.take_trailing(operator) {
                let mut trivia = self.comments.take_leading(operator);
                trivia.push(super::comments::Trivium::Line(text));
                self.comments.lead(operator, trivia);
            }
        }
    }

    /// An operation as the value of a binding, with the space before it, where it can start on the line of the `=`.
    pub(super) fn operation_behind_equals(&mut self, operation: Element<'t>) -> Option<Docs> {
        if is_comparison(operation) {
            return None;
        }
        let operands = chain(operation);
        let (_, first) = operands.first()?;
        let operator = Binary(operation).operator()?;
        let starts_on_line = ["//", "++", "+"].iter().any(|text| operator.is(text));
        if starts_on_line && is_term(*first) && self.is_absorbable_term(*first) {
            self.lift_operator_comments(&operands);
            return Some(vec![HARD, group(self.chained(&operands, true))]);
        }
        let right = Binary(operation).right()?;
        let joins = operator.is("//") || operator.is("++");
        if !joins || !is_term(right) || !self.is_absorbable_term(right) || !self.comments.is_alone(operator) {
            return None;
        }
        Some(self.nested(|formatter| {
            let mut docs = vec![SPACE];
            docs.extend(Binary(operation).left().map_or(Docs::new(), |left| formatter.expr(left)));
            docs.push(SPACE);
            let mut tail = formatter.token(operator);
            tail.push(HARD);
            tail.push(first_group(formatter.absorbed_term(right, true)));
            docs.push(transparent(tail));
            vec![group(docs)]
        }))
    }
}

/// The operands of a chain of the same operator.
fn chain(operation: Element<'_>) -> Vec<Operand<'_>> {
    let mut operands = Vec::new();
    let operator = Binary(operation).operator();
    add(operation, None, operator, &mut operands);
    operands
}

fn add<'t>(
    operand: Element<'t>,
    before: Option<Element<'t>>,
    chained: Option<Element<'t>>,
    operands: &mut Vec<Operand<'t>>,
) {
    let same = |operator: Element<'t>| chained.is_some_and(|chained| chained.text() == operator.text());
    match (operand.kind(), Binary(operand).operator()) {
        (Kind::Binary, Some(operator)) if same(operator) => {
            if let (Some(left), Some(right)) = (Binary(operand).left(), Binary(operand).right()) {
                add(left, before, chained, operands);
                add(right, Some(operator), chained, operands);
            }
        }
        _ => operands.push((before, operand)),
    }
}

fn is_comparison(operation: Element<'_>) -> bool {
    let operator = Binary(operation).operator();
    operator.is_some_and(|operator| ["==", "!=", "<", "<=", ">", ">="].iter().any(|text| operator.is(text)))
}
