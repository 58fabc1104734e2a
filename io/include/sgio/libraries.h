/* The libraries that this one is linked with. */
#ifndef SGIO_LIBRARIES_H
#define SGIO_LIBRARIES_H

#ifdef __cplusplus
extern "C" {
#endif

/* One line each, "zlib 1.2.13"; static storage. Versions are those of the loaded libraries where
 * they tell, else those of the headers that this library was built with. */
const char *sgio_libraries(void);

#ifdef __cplusplus
}
#endif
#endif
