//! Templates: minijinja over an item's fields, strict about missing variables.
