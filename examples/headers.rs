//! Rewrites what the shipped rule files say of themselves at their heads: plan and simulation.
//! A test compares; run this after a change of a rule file, its traffic or the judge.

#[path = "../tests/it/support"]
mod support {
    pub(crate) mod headers;
}

fn main() -> std::io::Result<()> {
    for path in support::headers::shipped() {
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, support::headers::written(&text))?;
    }
    Ok(())
}
