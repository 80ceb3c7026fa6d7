"""The vault's tables over time. Index tables are not here: they are dropped and made again."""
