// What sharp finds in files: node look.mjs FILE… prints a list, with what went wrong where a file could not be opened.
import sharp from 'sharp';

const look = async (file) => {
  try {
    const image = sharp(file);
    const found = await image.metadata();
    await image.stats(); // decodes every pixel
    return { ...found, icc: found.icc?.toString('base64'), exif: found.exif?.length, xmp: found.xmp?.length, iptc: found.iptc?.length };
  } catch (error) {
    return { error: String(error) };
  }
};
console.log(JSON.stringify(await Promise.all(process.argv.slice(2).map(look))));
