//! The evaluator of the Nix expression language.
