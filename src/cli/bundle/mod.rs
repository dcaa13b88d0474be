//! Bundles: `export --format bundle` writes sessions into one file, `import` imports them.

mod export;
mod import;

pub(super) use export::export;
pub(super) use import::import;
