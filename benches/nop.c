/* The unit of `cargo bench --bench hooks`: the cost of a process that does nothing. */
int main(void) { return 0; }
