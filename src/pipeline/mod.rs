/// Whether nothing about this host can ever use TLS.
fn never_tls(target: &Target, endpoint: &Endpoint) -> bool {
    target.tls.mode == SslMode::Disable
        || (target.ssh.is_none() && matches!(endpoint.place, Place::Unix(_)))
}

/// What this machine itself dials: the database's hosts, or the first hop.
fn destinations(target: &Target) -> Vec<Destination> {
    match &target.ssh {
        Some(plan) => plan
            .hops
            .iter()
            .take(1)
            .map(|hop| Destination {
                place: Place::of_host(&hop.host),
                port: hop.port,
            })
            .collect(),
        None => target
            .endpoints
            .iter()
            .map(|endpoint| Destination {
                place: endpoint.place.clone(),
                port: endpoint.port,
            })
            .collect(),
    }
}
