//! What every page forbids the browser.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Nothing inline, nothing from elsewhere, in nobody's frame; scripts write no markup.
const CONTENT: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; connect-src 'self'; \
                       base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const DEVICES: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
                       magnetometer=(), microphone=(), midi=(), payment=(), screen-wake-lock=(), usb=(), xr-spatial-tracking=()";

const ALL: [(HeaderName, &str); 9] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT),
    (HeaderName::from_static("permissions-policy"), DEVICES),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Who came once by TLS never comes without; a browser heeds this over TLS only.
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    // The router forbids caching, guessing of types and referrers for everything.
    (header::X_DNS_PREFETCH_CONTROL, "off"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// Puts them on an answer. What is no page forbids more by itself: a file executes nothing at all.
pub fn forbid(headers: &mut HeaderMap) {
    for (name, value) in ALL {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
