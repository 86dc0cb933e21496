//! annals-proof
