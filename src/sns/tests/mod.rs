//! Messages as tables: what is told of them, and what is kept back.
