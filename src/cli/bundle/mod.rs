//! Bundles: `export --format bundle` writes sessions into one file, `import` takes them over.

mod export;
mod import;

pub(super) use export::export;
pub(super) use import::import;
