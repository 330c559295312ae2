//! Writes labelled recordings of made-up waves into a folder: 24 good and 20 bad ones,
//! judged by `rules/http-service.yaml`. `wavegate backtest FOLDER` scores rules on them.
//!
//! The seeds are fixed, so the same waves come out on every machine.

use std::path::Path;

mod fleet;
mod source;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("name the folder to write recordings into")?;
    std::fs::create_dir_all(&folder)?;
    for wave in fleet::waves() {
        let path = Path::new(&folder).join(wave.file());
        source::record(&wave, &path)?;
    }
    Ok(())
}
