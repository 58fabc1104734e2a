/* The shared library as other programs take it: loaded at run time, its functions found by name.
 * test_module LIBRARY */
#include "core/system.h"

#include "check.h"

static void the_library_answers(const char *path)
{
    const char *reason;
    void *module = sgm_module_open(path, &reason);
    if (!CHECK(module != NULL)) {
        fprintf(stderr, "%s\n", reason);
        return;
    }
    const char *(*version)(void) = NULL;
    void *symbol = sgm_module_symbol(module, "sgm_version");
    memcpy(&version, &symbol, sizeof version); /* C has no cast from data to functions */
    CHECK(version && strcmp(version(), sgm_version()) == 0);
    CHECK(!sgm_module_symbol(module, "sgm_make_folder")); /* its own business */
}

static void what_is_not_there_is_named(void)
{
    const char *reason = NULL;
    CHECK(!sgm_module_open("./no_such_module", &reason));
    CHECK(reason && strstr(reason, "no_such_module"));
}

int main(int count, char **arguments)
{
    if (count != 2) return 2;
    the_library_answers(arguments[1]);
    what_is_not_there_is_named();
    return check_report();
}
