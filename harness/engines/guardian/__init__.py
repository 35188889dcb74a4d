"""The process that outlives a killed harness: it heals what was broken and takes down what was started."""
