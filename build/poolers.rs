//! `knowledge/poolers.toml` and `knowledge/statements.toml`, read strictly. Their heads
//! explain the keys.
//!
//! The types have the names and fields of those in `src/client/`: what is read is printed
//! as Rust.

use std::fmt;

use serde::Deserialize;

use super::drivers::List;

/// A word that is a variant of an enum there.
#[derive(Deserialize)]
#[serde(transparent)]
struct Variant(String);

impl fmt::Debug for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
#[serde(deny_unknown_fields)]
struct Product {
    name: String,
    accepts: List<String>,
    refusal: Option<String>,
    setting: Option<String>,
    prepared: Option<String>,
    keeps: bool,
    source: String,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
#[serde(deny_unknown_fields)]
struct Place {
    ends: String,
    has: Option<String>,
    port: Option<u16>,
    product: String,
    mode: Option<Variant>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
#[serde(deny_unknown_fields)]
struct Starts {
    drivers: List<String>,
    since: Option<String>,
    until: Option<String>,
    parameters: List<String>,
    cure: Option<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Poolers {
    product: Vec<Product>,
    place: Vec<Place>,
    starts: Vec<Starts>,
}

/// The table of poolers as Rust.
pub fn generated(table: &str) -> Result<String, String> {
    let mut table: Poolers = toml::from_str(table).map_err(|error| error.to_string())?;
    for place in &mut table.place {
        if !table
            .product
            .iter()
            .any(|known| known.name == place.product)
        {
            return Err(format!("{place:?}: no such product"));
        }
        if let Some(mode) = &mut place.mode {
            mode.0 = match mode.0.as_str() {
                "session" => "Mode::Session",
                "transaction" => "Mode::Transaction",
                other => return Err(format!("{other:?} is no mode")),
            }
            .to_owned();
        }
    }
    for product in &table.product {
        let refuses = !product.accepts.0.iter().any(|name| name == "*");
        if refuses != product.refusal.is_some() {
            return Err(format!(
                "{product:?}: a refusal is what it says, where it refuses"
            ));
        }
    }
    Ok(format!(
        "static PRODUCTS: &[Product] = &{:#?};\nstatic PLACES: &[Place] = &{:#?};\npub(super) static STARTS: &[Starts] = &{:#?};\n",
        table.product, table.place, table.starts
    ))
}

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
#[serde(deny_unknown_fields)]
struct Naming {
    drivers: List<String>,
    since: Option<String>,
    until: Option<String>,
    named: Variant,
    says: Option<String>,
    cure: Option<String>,
    place: Option<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statements {
    driver: Vec<Naming>,
}

/// The table of statements as Rust.
pub fn statements(table: &str) -> Result<String, String> {
    let mut table: Statements = toml::from_str(table).map_err(|error| error.to_string())?;
    for row in &mut table.driver {
        let variant = match row.named.0.as_str() {
            "always" => "Named::Always",
            "repeated" => "Named::Repeated",
            "asked" => "Named::Asked",
            "two-trips" => "Named::TwoTrips",
            "never" => "Named::Never",
            other => return Err(format!("{other:?} is no way to name statements")),
        };
        let complete = row.says.is_some() && row.cure.is_some() && row.place.is_some();
        if complete != (variant != "Named::Never") {
            return Err(format!(
                "{row:?}: what it says, its cure and where, or none of them"
            ));
        }
        row.named = Variant(variant.to_owned());
    }
    Ok(format!("static ROWS: &[Row] = &{:#?};\n", table.driver).replace("Naming {", "Row {"))
}
