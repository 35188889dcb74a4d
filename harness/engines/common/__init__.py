"""What every engine uses: run folders, ports, placeholders, health, child processes, proxies."""
