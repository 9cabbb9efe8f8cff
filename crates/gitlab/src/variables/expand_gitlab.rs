//! Expansion by GitLab, before a job reaches a runner.

use std::collections::HashMap;

use super::{ExpansionError, MAX_TOTAL_BYTES, MAX_VALUE_BYTES, Variable};

/// The deepest chain of references between variables that is followed.
const MAX_CHAIN: usize = 100;

/// Expands references between `variables`, each in its final form, however deep they are nested.
///
/// As GitLab does (`lib/gitlab/ci/variables/collection.rb`, `sort_and_expand_all`; `lib/expand_variables.rb`):
/// `$name`, `${name}` and `%name%` are replaced, `$$` and `%%` stay, and so does what is not among `variables`.
/// Of equal names the last counts, except that a variable which refers to its own name means the one before.
/// Raw variables are not expanded, but others may refer to them. If several variables refer to each other in a
/// circle, nothing at all is expanded.
pub fn expand_between(variables: &[Variable]) -> Result<Vec<Variable>, ExpansionError> {
    let mut expansion = Expansion::of(variables);
    for index in 0..variables.len() {
        match expansion.expand(index) {
            Ok(()) => {}
            Err(Stop::Circle) => return Ok(variables.to_vec()),
            Err(Stop::Limit(error)) => return Err(error),
        }
    }
    let values = expansion.values.into_iter();
    let expanded = variables.iter().zip(values).map(|(variable, value)| Variable {
        value: value.unwrap_or_else(|| variable.value.clone()),
        ..variable.clone()
    });
    Ok(expanded.collect())
}

enum Stop {
    Circle,
    Limit(ExpansionError),
}

struct Expansion<'a> {
    variables: &'a [Variable],
    last_by_key: HashMap<&'a str, usize>,
    /// For each variable the one before it with the same name.
    previous: Vec<Option<usize>>,
    /// The values that are done.
    values: Vec<Option<String>>,
    /// The variables that are being expanded, each because the one before refers to it.
    chain: Vec<usize>,
    /// The bytes of the values that are done.
    spent: usize,
}

impl<'a> Expansion<'a> {
    fn of(variables: &'a [Variable]) -> Self {
        let mut last_by_key = HashMap::new();
        let previous = variables
            .iter()
            .enumerate()
            .map(|(index, variable)| last_by_key.insert(variable.key.as_str(), index))
            .collect();
        let values = vec![None; variables.len()];
        Self { variables, last_by_key, previous, values, chain: Vec::new(), spent: 0 }
    }

    fn expand(&mut self, index: usize) -> Result<(), Stop> {
        let Some(variable) = self.variables.get(index) else { return Ok(()) };
        if self.value(index).is_some() {
            return Ok(());
        }
        if self.chain.contains(&index) || self.chain.len() == MAX_CHAIN {
            return Err(Stop::Circle);
        }
        self.chain.push(index);
        let value = match variable.is_raw {
            true => variable.value.clone(),
            false => self.replace_references(index, variable)?,
        };
        self.chain.pop();
        self.spent = self.spent.saturating_add(value.len());
        if self.spent > MAX_TOTAL_BYTES {
            return Err(Stop::Limit(ExpansionError::TooMuch));
        }
        if let Some(slot) = self.values.get_mut(index) {
            *slot = Some(value);
        }
        Ok(())
    }

    fn value(&self, index: usize) -> Option<&str> {
        self.values.get(index)?.as_deref()
    }

    fn replace_references(&mut self, index: usize, variable: &'a Variable) -> Result<String, Stop> {
        let mut expanded = String::new();
        let mut rest = variable.value.as_str();
        while let Some(start) = rest.find(['$', '%']) {
            let (before, reference) = rest.split_at(start);
            expanded.push_str(before);
            let (name, length) = take_reference(reference);
            let (written, remainder) = reference.split_at(length);
            match name.and_then(|name| self.referred(index, variable, name)) {
                Some(other) => {
                    self.expand(other)?;
                    expanded.push_str(self.value(other).unwrap_or(written));
                }
                None => expanded.push_str(written),
            }
            if expanded.len() > MAX_VALUE_BYTES {
                return Err(Stop::Limit(ExpansionError::of_variable(variable)));
            }
            rest = remainder;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn referred(&self, index: usize, variable: &Variable, name: &str) -> Option<usize> {
        if name == variable.key {
            return self.previous.get(index).copied().flatten();
        }
        self.last_by_key.get(name).copied()
    }
}

/// The name that a text starting with `$` or `%` refers to, if it does, and the bytes that the reference takes.
fn take_reference(text: &str) -> (Option<&str>, usize) {
    let name_at = |start: usize| {
        let rest = text.get(start..).unwrap_or_default();
        let is_name = |character: char| character == '_' || character.is_ascii_alphanumeric();
        let name = rest.get(..rest.find(|character| !is_name(character)).unwrap_or(rest.len()));
        name.filter(|name| name.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic()))
    };
    let closes = |name: &str, start: usize, end: char| {
        text.get(start + name.len()..).is_some_and(|rest| rest.starts_with(end))
    };
    if text.starts_with("$$") || text.starts_with("%%") {
        return (None, 2);
    }
    if text.starts_with('%') {
        return match name_at(1).filter(|name| closes(name, 1, '%')) {
            Some(name) => (Some(name), name.len() + 2),
            None => (None, 1),
        };
    }
    if text.starts_with("${") {
        return match name_at(2).filter(|name| closes(name, 2, '}')) {
            Some(name) => (Some(name), name.len() + 3),
            None => (None, 1),
        };
    }
    match name_at(1) {
        Some(name) => (Some(name), name.len() + 1),
        None => (None, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variables::last_value;

    fn expanded(variables: &[Variable], key: &str) -> String {
        last_value(&expand_between(variables).unwrap(), key).unwrap().to_owned()
    }

    #[test]
    fn nested_references_are_followed_to_the_end() {
        let variables = [
            Variable::new("A", "a-$B"),
            Variable::new("B", "b-${C}"),
            Variable::new("C", "c-%D%"),
            Variable::new("D", "d"),
        ];
        assert_eq!(expanded(&variables, "A"), "a-b-c-d");
    }

    #[test]
    fn what_is_unknown_stays() {
        for text in ["$X ${X} %X%", "$$A", "%%A%%", "$", "${A", "$1", "%A", "100%", "\u{e9}$\u{e9}"] {
            let variables = [Variable::new("V", text), Variable::new("A", "a")];
            assert_eq!(expanded(&variables, "V"), text);
        }
    }

    #[test]
    fn raw_values_stay_but_may_be_referred_to() {
        let variables = [Variable::new("A", "$B"), Variable::new("B", "$C").raw(), Variable::new("C", "c")];
        assert_eq!(expanded(&variables, "A"), "$C");
        assert_eq!(expanded(&variables, "B"), "$C");
    }

    #[test]
    fn a_circle_leaves_everything_as_it_is() {
        let variables = [
            Variable::new("A", "$B"),
            Variable::new("B", "$A"),
            Variable::new("C", "$D"),
            Variable::new("D", "d"),
        ];
        assert_eq!(expand_between(&variables).unwrap(), variables);
    }

    #[test]
    fn a_reference_to_its_own_name_means_the_variable_before() {
        let variables =
            [Variable::new("PATH", "$PATH:/x"), Variable::new("PATH", "$PATH:$Y"), Variable::new("Y", "/y")];
        assert_eq!(expanded(&variables, "PATH"), "$PATH:/x:/y");
    }

    #[test]
    fn doubling_ends_in_an_error() {
        let mut variables = vec![Variable::new("V0", "x".repeat(16))];
        for level in 1..60 {
            variables.push(Variable::new(format!("V{level}"), format!("$V{0}$V{0}", level - 1)));
        }
        variables.reverse();
        assert!(matches!(expand_between(&variables), Err(ExpansionError::TooLong { .. })));
    }
}
