"use strict";

// Starts the language server of circuitdsl (`circuitdsl lsp`) for files that end in .circuit.

const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function activate() {
  const settings = workspace.getConfiguration("circuitdsl");
  const [command, ...args] = settings.get("command");
  client = new LanguageClient(
    "circuitdsl",
    "circuitdsl",
    { command, args },
    {
      documentSelector: [{ language: "circuit" }],
      initializationOptions: { reports: settings.get("reports") },
    },
  );
  return client.start();
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
