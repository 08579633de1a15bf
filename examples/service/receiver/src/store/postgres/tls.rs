//! TLS to PostgreSQL: which certificates are trusted, and which one is shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    pub check: Check,
    /// The authorities that are trusted; those of the system if there is no file.
    pub roots: Option<PathBuf>,
    /// The receiver's own certificate, and its key.
    pub own: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// What is checked of the server's certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Check {
    /// That a trusted authority has signed it, and that it is for the host.
    #[default]
    Name,
    /// That a trusted authority has signed it, for whatever name.
    Authority,
}

impl Certificates {
    pub fn connector(&self) -> anyhow::Result<MakeRustlsConnect> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = Arc::new(self.roots()?);
        let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let config = match self.check {
            Check::Name => config.with_root_certificates(roots),
            Check::Authority => {
                let signatures =
                    WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone()).build()?;
                let verifier = AnyName { roots, provider, signatures };
                config.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let config = match (&self.own, &self.key) {
            (None, None) => config.with_no_client_auth(),
            (Some(own), Some(key)) => {
                let held = PrivateKeyDer::from_pem_file(key);
                let held = held.with_context(|| format!("no unencrypted key can be read from {}", key.display()))?;
                let fits = config.with_client_auth_cert(certificates(own)?, held);
                fits.with_context(|| format!("{} and {} do not fit", own.display(), key.display()))?
            }
            _ => bail!("sslcert and sslkey need each other"),
        };
        Ok(MakeRustlsConnect::new(config))
    }

    /// For the system's, `SSL_CERT_FILE` names others.
    fn roots(&self) -> anyhow::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        if let Some(file) = &self.roots {
            for certificate in certificates(file)? {
                roots.add(certificate).with_context(|| format!("a certificate of {}", file.display()))?;
            }
        } else {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            ensure!(!roots.is_empty(), "the system trusts no certificates: {:?}", found.errors);
        }
        Ok(roots)
    }
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.with_context(|| format!("no certificates can be read from {}", file.display()))?;
    ensure!(!read.is_empty(), "there is no certificate in {}", file.display());
    Ok(read)
}

/// Trusts whatever an authority has signed, for whatever name, as psql does with `verify-ca`.
#[derive(Debug)]
struct AnyName {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    signatures: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn refused(certificates: &Certificates) -> String {
        format!("{:#}", certificates.connector().err().unwrap())
    }

    #[test]
    fn an_error_names_the_file() {
        let directory = TempDir::new().unwrap();
        let (missing, empty) = (directory.path().join("missing"), directory.path().join("empty"));
        fs::write(&empty, "no PEM").unwrap();
        let own = Certificates { own: Some(empty.clone()), ..Certificates::default() };
        for (certificates, message) in [
            (
                Certificates { roots: Some(missing.clone()), ..Certificates::default() },
                format!(
                    "no certificates can be read from {}: I/O error: No such file or directory (os error 2)",
                    missing.display()
                ),
            ),
            (
                Certificates { roots: Some(empty.clone()), ..Certificates::default() },
                format!("there is no certificate in {}", empty.display()),
            ),
            (own.clone(), "sslcert and sslkey need each other".to_owned()),
            (
                Certificates { key: Some(empty.clone()), ..own },
                format!("no unencrypted key can be read from {}: no items found", empty.display()),
            ),
        ] {
            assert_eq!(refused(&certificates), message);
        }
    }
}
