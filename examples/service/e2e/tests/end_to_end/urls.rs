//! What a PostgreSQL URL says: passwords, certificates, and the name of the application.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::process::Command;

use crate::database::Database;
use crate::postgres::{Postgres, give_to_postgres};
use crate::processes::{Receiver, binary};
use crate::setup::Directory;

/// What `receiver migrate` says if it fails; nothing if it does not.
async fn migrate(url: &str, environment: &[(&str, &str)]) -> Result<String> {
    let mut command = Command::new(binary("receiver").await?);
    command.args(["migrate", "--log=warn", "--database-url", url]).env("RUST_BACKTRACE", "0");
    let ended = command.envs(environment.iter().copied()).output().await?;
    let said = String::from_utf8(ended.stderr)?;
    ensure!(ended.status.success() == said.is_empty(), "{}: {said}", ended.status);
    Ok(said)
}

/// What it says if a server cannot be used.
fn failed(server: &str, why: &str) -> String {
    format!("Error: cannot open the database\n\nCaused by:\n    {server}: {why}\n")
}

#[tokio::test]
async fn the_password_comes_from_the_url_or_the_environment() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    postgres.database.run("CREATE ROLE bob LOGIN SUPERUSER PASSWORD 'open sesame'").await?;
    postgres.let_in("host all bob 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n").await?;
    let port = postgres.port;
    let server = format!("127.0.0.1:{port}");
    let url = format!("postgres://bob@{server}/postgres");
    let none = "it asks for a password, and there is none in the URL or in PGPASSWORD; .pgpass is not read";
    ensure!(migrate(&url, &[]).await? == failed(&server, none));
    ensure!(migrate(&url, &[("PGPASSWORD", "open sesame")]).await?.is_empty());
    let wrong = failed(&server, "password authentication failed for user \"bob\"");
    ensure!(migrate(&url, &[("PGPASSWORD", "another")]).await? == wrong);
    let url = format!("postgres://bob:open%20sesame@{server}/postgres");
    ensure!(migrate(&url, &[("PGPASSWORD", "another")]).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn connections_have_a_name() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    for (option, name) in
        [("", "routee receiver"), ("?application_name=callbacks%20of%20Routee", "callbacks of Routee")]
    {
        let database = Database::Postgres(format!("{}{option}", postgres.database.url()));
        let receiver = Receiver::start(&directory, &database, &[]).await?;
        let named = format!("SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = '{name}'");
        ensure!(postgres.database.rows(&named).await? == [["t"]], "{name}");
        receiver.terminate().await?;
    }
    Ok(())
}

/// An authority, and certificates that it has signed, in files.
struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(directory: &TempDir, name: &str) -> Result<Self> {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        fs::write(directory.path().join(name).with_extension("crt"), parameters.self_signed(&key)?.pem())?;
        Ok(Self { directory: directory.path().to_owned(), issuer: Issuer::new(parameters, key) })
    }

    /// Its certificate for a name, and the key.
    fn sign(&self, name: &str) -> Result<[PathBuf; 2]> {
        let mut parameters = CertificateParams::new([name.to_owned()])?;
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let files = ["crt", "key"].map(|kind| self.directory.join(format!("{name}.{kind}")));
        fs::write(&files[0], parameters.signed_by(&key, &self.issuer)?.pem())?;
        fs::write(&files[1], key.serialize_pem())?;
        Ok(files)
    }
}

#[tokio::test]
async fn certificates_are_checked_and_shown() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let (authority, _) = (Authority::new(&directory, "authority")?, Authority::new(&directory, "stranger")?);
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (root, stranger) = (path("authority.crt"), path("stranger.crt"));
    let [certificate, key] = authority.sign("db.example")?;
    let [own, own_key] = authority.sign("routee")?.map(|file| file.display().to_string());
    give_to_postgres(&key)?;
    // PostgreSQL takes no key that others may read.
    ensure!(Command::new("chmod").arg("600").arg(&key).status().await?.success());
    for (setting, file) in [("cert", &certificate), ("key", &key)] {
        postgres.database.run(&format!("ALTER SYSTEM SET ssl_{setting}_file = '{}'", file.display())).await?;
    }
    postgres.database.run(&format!("ALTER SYSTEM SET ssl_ca_file = '{root}'")).await?;
    postgres.database.run("ALTER SYSTEM SET ssl = on").await?;
    postgres.let_in("hostssl all all 127.0.0.1/32 trust\n").await?;

    let port = postgres.port;
    let by_name = format!("postgres://routee@db.example:{port}/postgres?hostaddr=127.0.0.1");
    let by_address = format!("postgres://routee@127.0.0.1:{port}/postgres?connect_timeout=5");
    let failed = |host: &str, why: &str| failed(&format!("{host}:{port}"), why);
    let unknown = "error performing TLS handshake: invalid peer certificate: UnknownIssuer";
    let other_name = "error performing TLS handshake: invalid peer certificate: certificate not valid for name \
                      \"127.0.0.1\"; certificate is only valid for DnsName(\"db.example\")";
    for (url, expected) in [
        (format!("{by_name}&sslmode=verify-full&sslrootcert={root}"), String::new()),
        (format!("{by_name}&sslmode=require&sslrootcert={root}"), String::new()),
        (format!("{by_name}&sslmode=verify-ca&sslrootcert={root}"), String::new()),
        (format!("{by_address}&sslmode=verify-ca&sslrootcert={root}"), String::new()),
        (format!("{by_address}&sslmode=verify-full&sslrootcert={root}"), failed("127.0.0.1", other_name)),
        (format!("{by_address}&sslmode=require&sslrootcert={root}"), failed("127.0.0.1", other_name)),
        (format!("{by_name}&sslmode=verify-full&sslrootcert={stranger}"), failed("db.example", unknown)),
        (format!("{by_name}&sslmode=verify-ca&sslrootcert={stranger}"), failed("db.example", unknown)),
        (format!("{by_name}&sslmode=verify-full"), failed("db.example", unknown)),
        (format!("{by_name}&sslmode=verify-full&sslrootcert=system"), failed("db.example", unknown)),
        (
            format!("{by_name}&sslmode=disable"),
            failed(
                "db.example",
                "no pg_hba.conf entry for host \"127.0.0.1\", user \"routee\", database \"postgres\", no encryption",
            ),
        ),
    ] {
        let said = migrate(&url, &[]).await?;
        ensure!(said == expected, "{url}: {said}");
    }

    postgres.let_in("hostssl all all 127.0.0.1/32 cert\n").await?;
    let checked = format!("{by_name}&sslmode=verify-full&sslrootcert={root}");
    let missing = failed("db.example", "connection requires a valid client certificate");
    ensure!(migrate(&checked, &[]).await? == missing);
    ensure!(migrate(&format!("{checked}&sslcert={own}&sslkey={own_key}"), &[]).await?.is_empty());
    Ok(())
}
