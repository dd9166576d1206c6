--- Ondol for Neovim: code completion from your own repository. See :help ondol.
--- This file runs on any Neovim that can load it, so it requires the rest only after the version was checked.
local M = {}

--- Says that this Neovim is too old.
function M.too_old()
  local version = vim.version()
  local this = ('%d.%d.%d'):format(version.major, version.minor, version.patch)
  vim.notify(('Ondol needs Neovim 0.10 or newer; this is %s. Nothing was started.'):format(this), vim.log.levels.WARN)
end

local function supported()
  return vim.fn.has('nvim-0.10') == 1
end

--- Starts Ondol. Options: :help ondol-options.
---@param options table|nil
function M.setup(options)
  if not supported() then
    return M.too_old()
  end
  local client = require('ondol.client')
  local again = client.running()
  for _, problem in ipairs(require('ondol.config').apply(options)) do
    require('ondol.log').tell(problem, vim.log.levels.WARN)
  end
  require('ondol.ghost').define_colour()
  require('ondol.keys').apply()
  client.run()
  if again then
    client.stop(true)
  end
end

--- Is a suggestion on the screen?
---@return boolean
function M.visible()
  return supported() and require('ondol.actions').visible()
end

--- Accepts the suggestion. False, and nothing happens, if none is shown.
---@return boolean
function M.accept()
  return supported() and require('ondol.actions').accept('all')
end

--- Accepts its next word.
---@return boolean
function M.accept_word()
  return supported() and require('ondol.actions').accept('word')
end

--- Accepts its first line.
---@return boolean
function M.accept_line()
  return supported() and require('ondol.actions').accept('line')
end

--- Takes the suggestion away until the text changes.
---@return boolean
function M.dismiss()
  return supported() and require('ondol.actions').dismiss()
end

--- Shows the next suggestion; asks for more if there is one only.
---@return boolean
function M.next()
  return supported() and require('ondol.actions').cycle(1)
end

--- Shows the previous suggestion.
---@return boolean
function M.previous()
  return supported() and require('ondol.actions').cycle(-1)
end

--- Asks for a suggestion now, whatever its confidence.
function M.trigger()
  if supported() then
    require('ondol.actions').trigger()
  end
end

--- Switches suggestions everywhere on or off.
---@param on boolean|nil nil: the other way round
---@return boolean|nil on
function M.toggle(on)
  if not supported() then
    return nil
  end
  local now = require('ondol.client').switch('all', on)
  require('ondol.log').tell(now and 'on everywhere' or 'off everywhere')
  return now
end

--- A word for the status line: empty where Ondol has nothing to do with the buffer.
---@return string
function M.statusline()
  if not supported() or not package.loaded['ondol.client'] then
    return ''
  end
  return require('ondol.status').short(vim.api.nvim_get_current_buf())
end

return M
