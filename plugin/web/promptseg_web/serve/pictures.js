// The picture of a view. Pictures come one after the other; whatever keeps the browser from showing them
// as fast, the newest is shown in the end, and never an older one after it.
window.promptseg_pictures = {
  install(app) {
    app.component("promptseg-picture", {
      props: { name: String },
      inject: ["trame"],
      template: '<canvas class="picture" :data-view="name"></canvas>',
      mounted() {
        this.session = this.trame.client.getConnection().getSession();
        this.subscription = this.session.subscribe("trame.rca.topic.stream", ([picture]) => {
          if (picture.name !== this.name) return;
          this.newest = picture;
          if (!this.showing) this.show();
        });
      },
      beforeUnmount() {
        this.newest = null;
        this.session.unsubscribe(this.subscription);
      },
      methods: {
        async show() {
          this.showing = true;
          let pause = 100; // ms
          while (this.newest) {
            const picture = this.newest;
            try {
              await this.draw(picture);
              pause = 100;
            } catch (error) {
              // No memory, perhaps: again, a little later, unless another one has come.
              console.error(`${this.name}: ${error}`);
              await new Promise((resolve) => setTimeout(resolve, pause));
              pause = Math.min(2 * pause, 5000);
              continue;
            }
            if (this.newest === picture) this.newest = null;
          }
          this.showing = false;
        },
        async draw({ meta, content }) {
          const bitmap = await createImageBitmap(new Blob([content], { type: meta.type }));
          const canvas = this.$el;
          if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
          if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
          canvas.getContext("2d").drawImage(bitmap, 0, 0);
          bitmap.close();
          canvas.dataset.asked = meta.asked;
          canvas.dataset.quality = meta.quality;
        },
      },
    });
  },
};
