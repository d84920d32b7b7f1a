//! One request with reqwest as it comes: METHOD URL [BODY]. Prints the status code.
//! It is built with ring in place of the default aws-lc, which is minutes of C; whom it trusts is the same.

use std::env;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let method = arguments.next().ok_or("usage: rusthttp METHOD URL [BODY]")?;
    let url = arguments.next().ok_or("usage: rusthttp METHOD URL [BODY]")?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::new();
    let request = client.request(method.parse()?, url);
    let answer = match arguments.next() {
        Some(body) => request.body(body).send()?,
        None => request.send()?,
    };
    let status = answer.status();
    answer.bytes()?;
    println!("{}", status.as_u16());
    Ok(())
}
