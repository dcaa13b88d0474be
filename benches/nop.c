/* The unit of `cargo bench --bench hooks`: what a process costs that does nothing. */
int main(void) { return 0; }
