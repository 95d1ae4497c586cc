//! Which keys of an issuer count: its own, of the kinds that issuers have, fetched over TLS from whom the authority has certified.

use crate::harness::World;
use crate::issuer::{Issuer, Lie, Signs, comes_in, link, named_by, returned, said, stranger, ticket, words};
use himaya::platform::app::App;
use himaya::platform::config::{Config, OidcConfig, TlsConfig};
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_signs_by_rsa_or_by_a_curve_and_by_its_own_key() {
    let world = World::new().await;
    for signs in [Signs::rs256(), Signs::es256()] {
        let (issuer, issuing) = Issuer::signing(&world, signs).await;
        let (_app, serving, base) = world.replica_of(named_by(&world, &issuer, false)).await;
        let officer = world.signed_in("officer1").await.at(&base);
        let linked = link(&officer, &issuer, "subject").await;
        assert_eq!(linked.status, 201, "{}", linked.text);
        let named = ticket(&world, &issuer, (&base, &base), "subject").await;
        assert_eq!(named.status, 201, "{}", named.text);
        assert_eq!(comes_in(&world, &base, &named, words(&officer)).await.status, 201);
        let lies = [
            Lie::Key,
            Lie::PublicKey,
            Lie::ClientsSecret,
            Lie::Unsigned,
            Lie::Expired,
            Lie::Audience,
            Lie::Issuer,
            Lie::Nonce,
        ];
        for lie in lies {
            let begun = stranger(&world, &base).post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
            let back = returned(&begun, &issuer.sends_back(&begun, "subject", lie));
            let finished = stranger(&world, &base).post("/api/v1/oidc/sign-ins/finish", &back).await.unwrap();
            assert_eq!(said(&finished), (401, "not_named"), "{lie:?}");
        }
        assert_eq!(officer.post("/api/v1/oidc/links/remove", &words(&officer)).await.unwrap().status, 200);
        serving.stop().await.unwrap();
        issuing.abort();
    }
}

/// A certificate for `localhost`, by an authority of its own: the authority's file, and the server's.
fn certified(folder: &Path) -> (PathBuf, TlsConfig) {
    std::fs::create_dir_all(folder).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut about = rcgen::CertificateParams::new(vec![]).unwrap();
    about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = folder.join("authority.pem");
    std::fs::write(&authority, about.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::new(about, key);
    let own = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
    let files = TlsConfig { certificate: folder.join("leaf.pem"), key: folder.join("leaf.key") };
    std::fs::write(&files.certificate, leaf.pem()).unwrap();
    std::fs::write(&files.key, own.serialize_pem()).unwrap();
    std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o600)).unwrap();
    (authority, files)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_with_an_authority_of_its_own_is_believed_by_that_one_only() {
    let world = World::new().await;
    let (authority, files) = certified(&world.folder.join("one"));
    let (wrong, _) = certified(&world.folder.join("another"));
    let issuer = Issuer::over_tls(&world, &files);
    let trusting = |authority: Option<PathBuf>| {
        let config = named_by(&world, &issuer, false);
        let oidc = OidcConfig { authority, ..config.oidc.clone().unwrap() };
        Config { oidc: Some(oidc), ..config }
    };
    // Another authority of the same name, and those that browsers know.
    for other in [Some(wrong), None] {
        let (_app, serving, base) = world.replica_of(trusting(other.clone())).await;
        let asked = stranger(&world, &base).post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
        assert_eq!(said(&asked), (503, "issuer_away"), "{other:?}");
        serving.stop().await.unwrap();
    }
    let (_app, serving, base) = world.replica_of(trusting(Some(authority))).await;
    let officer = world.signed_in("officer1").await.at(&base);
    let linked = link(&officer, &issuer, "subject").await;
    assert_eq!(linked.status, 201, "{}", linked.text);
    let named = ticket(&world, &issuer, (&base, &base), "subject").await;
    assert_eq!(comes_in(&world, &base, &named, words(&officer)).await.status, 201);
    serving.stop().await.unwrap();
    // What is no authority is refused at the start, by the setting's name.
    for nonsense in [world.folder.join("pins"), world.folder.join("missing.pem")] {
        let refused = App::start(trusting(Some(nonsense)), world.clock.clone()).await.err().unwrap().to_string();
        assert!(refused.contains("oidc.authority"), "{refused}");
    }
}
