int tessera_gone(void);
int tessera_gone(void) { return 0; }
