//! Prints the public API that a file of rustdoc's JSON describes, one item a line.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let json = std::env::args()
        .nth(1)
        .ok_or("usage: public-api-listing JSON")?;
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()?;
    println!("{api}");
    Ok(())
}
