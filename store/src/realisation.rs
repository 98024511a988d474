//! realisation
