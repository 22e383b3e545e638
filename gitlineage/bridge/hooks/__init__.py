"""Git hooks: `install` puts the scripts in place, `client` is what they call in a clone, `server` what they check."""
