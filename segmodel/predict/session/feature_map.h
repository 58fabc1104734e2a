#ifndef SEGMODEL_PREDICT_SESSION_FEATURE_MAP_H
#define SEGMODEL_PREDICT_SESSION_FEATURE_MAP_H

/* One of an embedding's maps as the network reads it: values[rows * columns][channels]. */
typedef struct sgm_feature_map {
    int rows, columns, channels;
    const float *values;
} sgm_feature_map;

#endif
