//! The binary `annals`: everything that a person or a script does from a shell.
//!
//! Commands that touch a running installation speak HTTP to it, like any other client; only `check`,
//! `quarantine` and `backup` read a directory themselves, beside the server, and `restore` and `rebuild` make one. Exit
//! codes are in [`exit`].

mod args;
mod backup;
mod check;
mod client;
mod config;
mod demo;
mod directory;
mod exit;
mod export;
mod import;
mod installation;
mod key;
mod log;
mod object_store;
mod output;
mod place;
mod progress;
mod quarantine;
mod query;
mod rebuild;
mod serve;
mod verify;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use output::Output;

/// An event is some thirty short texts on its way in; this allocator takes half of the time over
/// them that the C library's does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    let output = Output::new(args.json);
    let place = place::Place::new(&args.server);
    let done = match args.command {
        Command::Serve(serve) => serve::run(&serve, &place, &output),
        Command::Demo(demo) => demo::run(&demo, &output),
        Command::Taskyard(taskyard) => demo::run_taskyard(&taskyard),
        Command::Workspace(workspace) => workspace::run(&workspace, &place, &output),
        Command::Key(key) => key::run(&key, &place, &output),
        Command::Query(query) => query::run(&query, &place, &output),
        Command::Export(export) => export::run(&export, &place, &output),
        Command::Import(import) => import::run(&import, &place, &output),
        Command::Verify(verify) => verify::run(&verify, &output),
        Command::Check(check) => check::run(&check, &place, &output),
        Command::Rebuild(rebuild) => rebuild::run(&rebuild, &place, &output),
        Command::Quarantine(_) => quarantine::run(&place, &output),
        Command::Backup(args) => backup::run(&args, &place, &output),
        Command::Restore(args) => backup::restore(&args, &place, &output),
        Command::Config(config) => config::run(&config, &place, &output),
    };
    match done {
        Ok(code) => code,
        Err(error) => exit::report(&error, &output),
    }
}
