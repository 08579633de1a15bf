//! Allocations and bytes of every variant for one body; a buffer that grows counts again at each size.

use allocation_counter::measure;
use routee_viber_benches::groups;

fn main() {
    for group in groups() {
        println!("\n{:<24}{:>12}{:>10}", group.name, "allocations", "bytes");
        for variant in &group.variants {
            (variant.run)(); // the first run fills the buffers that are kept
            let counted = measure(|| (variant.run)());
            println!("{:<24}{:>12}{:>10}", variant.name, counted.count_total, counted.bytes_total);
        }
    }
}
