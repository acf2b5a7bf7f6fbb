"""Document -> Plan: jobs by block, started once, with their experiments and their cost."""
