//! `himaya statistics`: what the method of the statistics is worth, measured. No part of the service, and no database.

use super::Outcome;
use clap::Subcommand;
use himaya::statistics::trial::{Effort, Method, Told, run, table};
use std::process::ExitCode;

#[derive(Subcommand)]
pub enum Statistics {
    /// Publish years of people who do not exist by the product's method, by the same made anew each month and by three others, attack all of
    /// them, and print what each is worth. The cube's numbers are the same on every machine.
    Trial {
        /// People in a year, one country size for each.
        #[arg(long, value_delimiter = ',', default_values_t = [60, 250, 1000], value_parser = clap::value_parser!(u32).range(1..=20_000))]
        people: Vec<u32>,
        /// Countries for each size.
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=1000))]
        seeds: u64,
        /// Keys with which the strong adversary rehearses; 0 leaves that attack out, which is half of the time.
        #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(0..=1000))]
        keys: u64,
    },
}

pub fn statistics(told: Statistics) -> Outcome {
    let Statistics::Trial { people, seeds, keys } = told;
    let people = people.into_iter().map(usize::try_from).collect::<Result<_, _>>()?;
    let told = Told { people, seeds, methods: Method::ALL.to_vec(), effort: Effort { targets: 1, alone: 1, keys } };
    let rows = run(&told, |done, of| eprint!("\rcountries tried: {done} of {of}"))?;
    eprintln!();
    print!("{}", table(&rows));
    Ok(ExitCode::SUCCESS)
}
