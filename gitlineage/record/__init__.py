"""
Writing: the rules, what a landing collects, and the one move of a ref that records it.

Imports `query` and what is below. Start with `recorder` (what is recorded) and `ledger` (how it lands, the
writer's name, the index kept current); `landing` has the writers' lock, `turns` who waits for it.
"""
