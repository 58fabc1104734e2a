/* Stands where a driver or a module is looked for: a library that has nothing of it. */
int empty_library(void);
int empty_library(void)
{
    return 0;
}
