//! The bounds of an elliptic-curve key, as OpenSSH sets them (sshkey.c,
//! `sshkey_ec_validate_private` and `sshkey_ec_validate_public`).

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcGroupRef, EcPoint, EcPointRef};
use openssl::nid::Nid;

/// The curve's number, by SSH's name of it.
fn named(name: &str) -> Option<Nid> {
    Some(match name {
        "nistp256" => Nid::X9_62_PRIME256V1,
        "nistp384" => Nid::SECP384R1,
        "nistp521" => Nid::SECP521R1,
        _ => return None,
    })
}

/// `None` where the point is not on the curve of this name, or a number of the key is out of
/// bounds.
pub fn bounded(name: &str, point: &[u8], number: &[u8]) -> Option<()> {
    // OpenSSH takes no compressed point (sshbuf-getput-crypto.c, `get_ec`).
    (point.first() == Some(&4)).then_some(())?;
    let group = EcGroup::from_curve_name(named(name)?).ok()?;
    let mut context = BigNumContext::new().ok()?;
    let point = EcPoint::from_bytes(&group, point, &mut context).ok()?;
    within(&group, &point, &*BigNum::from_slice(number).ok()?)
}

/// The same of a key that OpenSSL has read. Whether its halves belong together is not looked at.
pub fn within(group: &EcGroupRef, point: &EcPointRef, number: &BigNumRef) -> Option<()> {
    let mut context = BigNumContext::new().ok()?;
    let (mut order, mut x, mut y) = (
        BigNum::new().ok()?,
        BigNum::new().ok()?,
        BigNum::new().ok()?,
    );
    group.order(&mut order, &mut context).ok()?;
    point
        .affine_coordinates(group, &mut x, &mut y, &mut context)
        .ok()?;
    let half = order.num_bits() / 2;
    order.sub_word(1).ok()?;
    let fits = |value: &BigNumRef| value.num_bits() > half && *value < *order;
    (fits(&x) && fits(&y) && fits(number)).then_some(())
}
