//! What messages cost.

use std::fmt::{self, Display};

use bigdecimal::BigDecimal;

/// The sum of prices, exact to the last digit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Price {
    sum: BigDecimal,
    /// How many messages have a price.
    pub messages: i64,
}

impl Price {
    /// Adds the price of so many messages, as JSON writes the number.
    pub fn add(&mut self, price: &str, count: i64) {
        // Only this receiver writes these, so that nothing but a number is there.
        if let Ok(price) = price.parse::<BigDecimal>() {
            self.sum += price * BigDecimal::from(count);
            self.messages += count;
        }
    }
}

/// The sum, without the zeros at its end.
impl Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.sum.normalized().to_plain_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(prices: &[(&str, i64)]) -> String {
        let mut price = Price::default();
        for (value, count) in prices {
            price.add(value, *count);
        }
        assert_eq!(price.messages, prices.iter().map(|(_, count)| count).sum::<i64>());
        price.to_string()
    }

    #[test]
    fn a_sum_is_exact_to_the_last_digit() {
        assert_eq!(sum(&[]), "0");
        assert_eq!(sum(&[("0.1", 3)]), "0.3");
        assert_eq!(sum(&[("0.035", 10_000_000)]), "350000");
        assert_eq!(sum(&[("0.1", 1), ("0.2", 1)]), "0.3");
        assert_eq!(sum(&[("5.0", 2), ("1e-7", 1)]), "10.0000001");
        assert_eq!(sum(&[("9007199254740993", 1), ("0.0000000000000001", 9)]), "9007199254740993.0000000000000009");
        assert_eq!(sum(&[("-0.5", 1), ("0.5", 1)]), "0");
        assert_eq!(sum(&[("1e20", 1)]), "100000000000000000000");
    }
}
