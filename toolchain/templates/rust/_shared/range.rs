use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// For `#[serde(deserialize_with = "range::within::<_, 1, 100>")]`.
pub fn within<'de, D: Deserializer<'de>, const LEAST: u32, const MOST: u32>(
    deserializer: D,
) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    if !(LEAST..=MOST).contains(&number) {
        let message = format!("{number} is not a whole number from {LEAST} to {MOST}");
        return Err(D::Error::custom(message));
    }
    Ok(number)
}
