"""The parts of the report as a web page: everything is decided here, the templates only write it down."""
