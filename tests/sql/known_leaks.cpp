// LeakSanitizer's hook. libpqxx 6.4 loses the libpq result of a statement that ends with its connection (make_result
// asks the dead connection for its encoding, which throws before the result has an owner): some 2 KiB for each
// connection lost in the middle of work. Everything else stays an error.
extern "C" const char* __lsan_default_suppressions();

extern "C" const char* __lsan_default_suppressions()
{
    return "leak:PQmakeEmptyPGresult\n";
}
